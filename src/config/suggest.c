/* The nearest known key by edit distance (optimal string alignment). */
#include "config/suggest.h"

#include <limits.h>
#include <string.h>

#include "config/keys.h"

/* No key is longer; longer texts are no near miss of any. */
#define MOST_LETTERS 40

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned bm_suggest_distance(const char *a, const char *b)
{
	unsigned cost[MOST_LETTERS + 1][MOST_LETTERS + 1];
	size_t rows = strlen(a), columns = strlen(b);

	if (rows > MOST_LETTERS || columns > MOST_LETTERS) {
		return UINT_MAX;
	}
	for (size_t i = 0; i <= rows; i++) {
		for (size_t j = 0; j <= columns; j++) {
			if (i == 0 || j == 0) {
				cost[i][j] = (unsigned)(i + j);
				continue;
			}
			unsigned best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			best = least(best, least(cost[i - 1][j], cost[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				best = least(best, cost[i - 2][j - 2] + 1);
			}
			cost[i][j] = best;
		}
	}
	return cost[rows][columns];
}

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
		unsigned distance = known != NULL ? bm_suggest_distance(name, known) : UINT_MAX;
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
