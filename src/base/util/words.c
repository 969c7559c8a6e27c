/* Counts, sizes, rates; and the nearest word by edit distance (optimal string alignment). */
#include "bucardo_machine/words.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

/* No word of ours is longer; longer texts are no near miss of any. */
#define MOST_LETTERS 40

void bm_words_number(struct bm_strbuf *out, int64_t number)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%lld", (long long)number);

	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
			bm_strbuf_putc(out, ',');
		}
		bm_strbuf_putc(out, digits[i]);
	}
}

void bm_words_count(struct bm_strbuf *out, int64_t count, const char *one, const char *several)
{
	bm_words_number(out, count);
	bm_strbuf_putc(out, ' ');
	bm_strbuf_puts(out, count == 1 || several == NULL ? one : several);
	bm_strbuf_puts(out, count != 1 && several == NULL ? "s" : "");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The words of `text`, which is cut there. */
static size_t split(char *text, char **list)
{
	size_t count = 0;
	char *word;

	while ((word = strsep(&text, " ")) != NULL) {
		if (word[0] != '\0') {
			list[count++] = word;
		}
	}
	return count;
}

static void put_list(struct bm_strbuf *out, char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bm_strbuf_puts(out, i == 0 ? "" : i + 1 == count ? " and " : ", ");
		bm_strbuf_puts(out, list[i]);
	}
}

size_t bm_words_names(struct bm_strbuf *out, const char *names)
{
	char *copy = bm_strdup(names);
	char **list = bm_alloc((strlen(names) / 2 + 1) * sizeof(*list));
	size_t count = split(copy, list);

	qsort(list, count, sizeof(*list), compare_names);
	put_list(out, list, count);
	free(list);
	free(copy);
	return count;
}

void bm_words_size(struct bm_strbuf *out, int64_t bytes)
{
	static const char *const sizes[] = {"kB", "MB", "GB", "TB", "PB"};
	double left = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		bm_words_count(out, bytes, "byte", NULL);
		return;
	}
	/* What would be shown as 1024.0 is one of the next. */
	for (; left >= 1023.95 && i + 1 < BM_COUNT_OF(sizes); i++) {
		left /= 1024;
	}
	bm_strbuf_printf(out, "%.1f %s", left, sizes[i]);
}

bool bm_words_rate(struct bm_strbuf *out, double per_second, const char *one)
{
	if (!(per_second >= 1)) {
		return false;
	}
	int64_t whole = (int64_t)per_second;
	if (strcmp(one, "byte") == 0) {
		bm_words_size(out, whole);
	} else {
		bm_words_count(out, whole, one, NULL);
	}
	bm_strbuf_puts(out, "/s");
	return true;
}

/* ---- the nearest word ---- */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned bm_words_distance(const char *a, const char *b)
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

const char *bm_words_nearest(const char *word, const char *(*known)(const void *ctx, size_t i),
		const void *ctx)
{
	unsigned nearest = (unsigned)(strlen(word) / 3 + 1);
	const char *found = NULL, *one;

	for (size_t i = 0; (one = known(ctx, i)) != NULL; i++) {
		unsigned distance = bm_words_distance(word, one);
		if (distance < nearest || (distance == nearest && found == NULL)) {
			nearest = distance;
			found = one;
		}
	}
	return found;
}
