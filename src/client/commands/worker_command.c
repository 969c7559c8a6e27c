/* The role `worker NAME`: everything about it is worker/'s business; but http is a client. */
#include "bucardo_machine/worker.h"

#include <stdint.h>
#include <string.h>

#include "client/cli/command.h"

int cli_worker(const struct cli_call *call)
{
	/* A client, though a process of the machine. */
	if (call->word_count > 0 && strcmp(call->words[0], "http") == 0) {
		return cli_worker_http(call);
	}
	/* It wants its own name in front, as any main() does. */
	return bm_worker_main((int)call->word_count + 1, (char **)(uintptr_t)(call->words - 1));
}
