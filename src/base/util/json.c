/* Texts that others wrote, as JSON. */
#include "bucardo_machine/json.h"

#include <jansson.h>
#include <string.h>

#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/utf8.h"

struct json_t *bm_json_text(const char *text)
{
	size_t left = text != NULL ? strlen(text) : 0;
	struct bm_strbuf clean = BM_STRBUF_INIT;

	while (left > 0) {
		size_t size = bm_utf8_length(text, left);
		bm_strbuf_add(&clean, size > 0 ? text : "?", size > 0 ? size : 1);
		text += size > 0 ? size : 1;
		left -= size > 0 ? size : 1;
	}
	json_t *string = json_string(bm_strbuf_text(&clean));
	bm_strbuf_finish(&clean);
	return string;
}
