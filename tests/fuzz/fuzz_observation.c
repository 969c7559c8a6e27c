/*
 * Any bytes as a line of the observe worker: refused with a reason, or a sample
 * that survives being told again; never a crash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"
#include "bucardo_machine/observation.h"

#define NOW_MSEC 1000000

static void check_again(const struct bm_observation *observation)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_observation_line line;
	char *full = bm_observation_encode(observation, BM_OBSERVATION_FULL);
	char *states = bm_observation_encode(observation, BM_OBSERVATION_STATES);

	if (bm_observation_decode(full, strlen(full), NOW_MSEC, &line, &err) != 0) {
		abort();
	}
	/* Texts are cut and cleaned once: after that nothing changes any more. */
	char *again = bm_observation_encode(&line.observation, BM_OBSERVATION_STATES);
	if (strcmp(states, again) != 0) {
		abort();
	}
	bm_observation_line_finish(&line);
	free(again);
	free(states);
	free(full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_observation_line line;
	const char *text = size > 0 ? (const char *)data : "";

	if (bm_observation_decode(text, size, NOW_MSEC, &line, &err) != 0) {
		if (err.message[0] == '\0') {
			abort();
		}
	} else if (line.waiting == NULL) {
		check_again(&line.observation);
	}
	bm_observation_line_finish(&line);
	return 0;
}
