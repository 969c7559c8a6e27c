/*
 * Any bytes as a request of the control socket: a command with its members in
 * bounds, or a refusal with its reason; never a crash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/request.h"
#include "replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_control_request request;
	const char *text = size > 0 ? (const char *)data : "";
	int rc = bm_control_parse(text, size, &request, &err);

	if (rc != 0 && err.message[0] == '\0') {
		abort();
	}
	if (rc == 0 &&
			(request.command >= BM_CONTROL_COMMAND_COUNT ||
					memchr(request.unit, '\0', sizeof(request.unit)) ==
							NULL)) {
		abort();
	}
	return 0;
}
