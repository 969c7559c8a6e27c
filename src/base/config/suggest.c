/* The nearest known key by edit distance. */
#include "base/config/suggest.h"

#include <limits.h>
#include <string.h>

#include "bucardo_machine/words.h"
#include "base/config/keys.h"

/* The part of a path after its last dot. */
static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL ? dot + 1 : path;
}

static const char *find_near(const char *prefix, const char *name)
{
	unsigned nearest = (unsigned)(strlen(name) / 3 + 1); /* a third may be wrong */
	const char *found = NULL;

	for (size_t i = 0; i < bm_key_count; i++) {
		const char *known = bm_key_name_under(&bm_keys[i], prefix);
		unsigned distance = known != NULL ? bm_words_distance(name, known) : UINT_MAX;
		if (distance < nearest || (distance == nearest && found == NULL)) {
			nearest = distance;
			found = known;
		}
	}
	return found;
}

static const char *find_elsewhere(const char *name)
{
	for (size_t i = 0; i < bm_key_count; i++) {
		if (strcmp(last_part(bm_keys[i].path), name) == 0) {
			return bm_keys[i].path;
		}
	}
	return NULL;
}

void bm_suggest_key(const char *prefix, const char *name, struct bm_strbuf *out)
{
	const char *meant = find_near(prefix, name);
	const char *separator;

	meant = meant != NULL ? meant : find_elsewhere(name);
	if (meant != NULL) {
		bm_strbuf_printf(out, "; did you mean '%s'?", meant);
	}
	separator = meant != NULL ? " (known here: " : "; known here: ";
	for (size_t i = 0; i < bm_key_count; i++) {
		const char *known = bm_key_name_under(&bm_keys[i], prefix);
		if (known != NULL) {
			bm_strbuf_printf(out, "%s%s", separator, known);
			separator = ", ";
		}
	}
	bm_strbuf_puts(out, meant != NULL ? ")" : "");
}
