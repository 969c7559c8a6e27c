/* Words into lines; a word that is longer than a line has a line of its own. */
#include "base/util/wrap.h"

#include <stdbool.h>
#include <string.h>

#define WIDTH 88

void bm_wrap(struct bm_strbuf *out, const char *first, const char *rest, const char *text)
{
	size_t column = strlen(first);

	bm_strbuf_puts(out, first);
	for (bool start = true; *text != '\0'; start = false) {
		size_t word = strcspn(text, " ");
		if (!start && column + 1 + word > WIDTH) {
			bm_strbuf_printf(out, "\n%s", rest);
			column = strlen(rest);
		} else if (!start) {
			bm_strbuf_putc(out, ' ');
			column++;
		}
		bm_strbuf_add(out, text, word);
		column += word;
		text += word + strspn(text + word, " ");
	}
	bm_strbuf_putc(out, '\n');
}
