/* The role `worker NAME`: everything about it is worker/'s business. */
#include "bucardo_machine/worker.h"

#include <stdint.h>

#include "client/cli/command.h"

int cli_worker(const struct cli_call *call)
{
	/* It wants its own name in front, as any main() does. */
	return bm_worker_main((int)call->word_count + 1, (char **)(uintptr_t)(call->words - 1));
}
