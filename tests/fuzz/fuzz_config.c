/*
 * Any bytes as machine.yaml: either a configuration that shows as a text which
 * reads again and means the same, or at least one complaint; never a crash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "replay.h"

static void check_show(const struct bm_config *config)
{
	struct bm_strbuf first = BM_STRBUF_INIT, second = BM_STRBUF_INIT;
	struct bm_strbuf errors = BM_STRBUF_INIT;

	bm_config_show(config, &first);
	struct bm_config *again = bm_config_parse("f", first.text, first.length, &errors);
	if (again == NULL) {
		abort();
	}
	bm_config_show(again, &second);
	if (strcmp(first.text, second.text) != 0) {
		abort();
	}
	bm_config_destroy(again);
	bm_strbuf_finish(&first);
	bm_strbuf_finish(&second);
	bm_strbuf_finish(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;
	const char *text = size > 0 ? (const char *)data : "";
	struct bm_config *config = bm_config_parse("f", text, size, &errors);

	if ((config == NULL) == (errors.length == 0)) {
		abort();
	}
	if (config != NULL) {
		check_show(config);
	}
	bm_config_destroy(config);
	bm_strbuf_finish(&errors);
	return 0;
}
