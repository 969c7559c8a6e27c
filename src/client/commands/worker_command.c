/* The role `worker NAME`: everything about it is worker/'s business; but http and notify are
 * clients. */
#include "bucardo_machine/worker.h"

#include <stdint.h>
#include <string.h>

#include "client/cli/command.h"

int cli_worker(const struct cli_call *call)
{
	/* Clients, though processes of the machine. */
	if (call->word_count > 0 && strcmp(call->words[0], "http") == 0) {
		return cli_worker_http(call);
	}
	if (call->word_count > 0 && strcmp(call->words[0], "notify") == 0) {
		return cli_worker_notify(call);
	}
	/* It wants its own name in front, as any main() does. */
	return bm_worker_main((int)call->word_count + 1, (char **)(uintptr_t)(call->words - 1));
}
