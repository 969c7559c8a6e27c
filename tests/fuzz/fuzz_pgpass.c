/* Any bytes as pgpass: lines about them, bounded, and never a crash. */
#include <stdint.h>
#include <stdlib.h>

#include "base/config/pgpass.h"
#include "replay.h"

/* Twenty lines and two that sum up, each of one sentence. */
#define MOST_BYTES 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bm_strbuf warnings = BM_STRBUF_INIT;
	const char *text = size > 0 ? (const char *)data : "";

	bm_pgpass_check("f", text, size, &warnings);
	if (warnings.length > MOST_BYTES) {
		abort();
	}
	bm_strbuf_finish(&warnings);
	return 0;
}
