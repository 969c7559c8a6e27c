/* The table of kinds, and the table of steps. */
#include "bucardo_machine/kinds.h"

#include <stddef.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/dump/entries.h"

#define NONE UINT64_MAX

/*
 * Measured with PostgreSQL 15 on one processor, tables of 150 MB (300,000 wide rows) and
 * 130 MB (3 million narrow ones). The bytes of a GIN index tell its time better than
 * those of its table: 0.12 s a MB for jsonb_ops, jsonb_path_ops, trigrams and words.
 */
static const struct {
	double fixed_msec, row_ns, byte_ns, index_byte_ns;
	uint64_t most_bytes; /* that it reads */
	double doubt;
} kinds[] = {
		[BM_KIND_COPY] = {1, 500, 5, 0, NONE, 0},
		[BM_KIND_BTREE] = {2, 150, 1, 12, NONE, 0.3},
		[BM_KIND_BTREE_TEXT] = {2, 1000, 1, 25, NONE, 0.3},
		[BM_KIND_HASH] = {2, 1500, 1, 0, NONE, 0},
		[BM_KIND_GIN] = {2, 500, 1, 115, NONE, 0.05},
		[BM_KIND_GIST] = {2, 500, 1, 50, NONE, 0.3},
		[BM_KIND_BRIN] = {2, 300, 1, 0, NONE, 0},
		[BM_KIND_INDEX] = {2, 500, 1, 60, NONE, 0.3},
		[BM_KIND_FOREIGN] = {2, 350, 1, 0, NONE, 1},
		[BM_KIND_REFRESH] = {2, 0, 50, 0, NONE, 1},
		/* A sample: 30,000 pages by default. */
		[BM_KIND_ANALYZE] = {2, 0, 2.5, 0, (uint64_t)30000 * 8192, 1},
		[BM_KIND_SMALL] = {2, 0, 0, 0, NONE, 1},
};
static_assert(BM_COUNT_OF(kinds) == BM_KIND_COUNT, "a kind has no row");

double bm_kind_msec(enum bm_kind kind, const struct bm_kind_size *size)
{
	uint64_t bytes = size->bytes < kinds[kind].most_bytes ? size->bytes
							      : kinds[kind].most_bytes;

	return kinds[kind].fixed_msec +
			((double)size->rows * kinds[kind].row_ns +
					(double)bytes * kinds[kind].byte_ns +
					(double)size->index_bytes * kinds[kind].index_byte_ns) /
			1e6;
}

/* Measured with a trigger in PL/pgSQL that looks at a setting and returns. */
#define TRIGGER_ROW_NS 1000

double bm_kind_trigger_msec(uint64_t rows)
{
	return (double)rows * TRIGGER_ROW_NS / 1e6;
}

double bm_kind_doubt(enum bm_kind kind)
{
	return kinds[kind].doubt;
}

/* ---- which kind ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

/* The word behind USING, outside of quotes; NULL: there is none. */
static const char *method_of(const char *sql)
{
	size_t length = strlen(sql);

	for (size_t at = 0; at < length;) {
		size_t end = bm_token_end(sql, length, at);
		if (end - at == strlen("USING") && bm_text_begins(sql + at, "USING") &&
				is_blank(sql[end])) {
			return sql + end + strspn(sql + end, " \n\t");
		}
		at = end > at ? end : at + 1;
	}
	return NULL;
}

enum bm_kind bm_kind_named(const char *word, bool is_text)
{
	static const struct {
		const char *word;
		enum bm_kind kind;
	} words[] = {
			{"btree", BM_KIND_BTREE}, {"hash", BM_KIND_HASH}, {"gin", BM_KIND_GIN},
			{"gist", BM_KIND_GIST}, {"brin", BM_KIND_BRIN},
			{"foreign", BM_KIND_FOREIGN}, {"analyze", BM_KIND_ANALYZE},
			{"INDEX", BM_KIND_SMALL}, /* a key takes an index that is there */
	};

	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		if (strcmp(word, words[i].word) == 0) {
			bool text = words[i].kind == BM_KIND_BTREE && is_text;
			return text ? BM_KIND_BTREE_TEXT : words[i].kind;
		}
	}
	return BM_KIND_INDEX;
}

static enum bm_kind index_kind(const char *sql)
{
	const char *method = method_of(sql);
	char word[32];

	if (method == NULL) {
		return BM_KIND_BTREE;
	}
	size_t length = strcspn(method, " \n\t(");
	bm_text_copy(word, sizeof(word), method);
	word[length < sizeof(word) ? length : sizeof(word) - 1] = '\0';
	return bm_kind_named(word, false);
}

enum bm_kind bm_kind_of(const char *name, const char *sql)
{
	static const struct {
		const char *type;
		enum bm_kind kind;
	} types[] = {
			{"INDEX ATTACH ", BM_KIND_SMALL},
			{"FK CONSTRAINT ", BM_KIND_FOREIGN},
			{"REFRESH ", BM_KIND_REFRESH},
			{"ANALYZE ", BM_KIND_ANALYZE},
	};

	if (bm_text_begins(name, "INDEX ") && !bm_text_begins(name, "INDEX ATTACH ")) {
		return index_kind(sql);
	}
	if (bm_text_begins(name, "CONSTRAINT ")) {
		return index_kind(sql);
	}
	for (size_t i = 0; i < BM_COUNT_OF(types); i++) {
		if (bm_text_begins(name, types[i].type)) {
			bool looks = types[i].kind != BM_KIND_FOREIGN ||
					strstr(sql, " NOT VALID;") == NULL;
			return looks ? types[i].kind : BM_KIND_SMALL;
		}
	}
	return BM_KIND_SMALL;
}

/* ---- how far ---- */

/*
 * What a step is of the time, by and large; the first that fits. Sorting texts takes most of
 * the time and tells nothing. GIN gets slower as it grows, and has still to write a fifth of
 * its time when all blocks are read.
 */
static const struct {
	enum bm_kind kind; /* BM_KIND_COUNT: any */
	const char *phase, *step;
	double from, to;
	double slows; /* how much: 0 not at all */
	bool by_tuples;
} steps[] = {
		{BM_KIND_BTREE_TEXT, "building index: scanning table", "reading the table", 0,
				0.15, 0, false},
		{BM_KIND_BTREE_TEXT, "building index: sorting live tuples", "sorting", 0.15,
				0.15, 0, false},
		{BM_KIND_BTREE_TEXT, "building index: loading tuples in tree",
				"writing the index", 0.8, 1, 0, true},
		{BM_KIND_COUNT, "building index: scanning table", "reading the table", 0, 0.45,
				0, false},
		{BM_KIND_COUNT, "building index: sorting live tuples", "sorting", 0.45, 0.45, 0,
				false},
		{BM_KIND_COUNT, "building index: loading tuples in tree", "writing the index",
				0.65, 1, 0, true},
		{BM_KIND_GIN, "building index", "building", 0, 0.8, 0.3, false},
		{BM_KIND_GIST, "building index", "building", 0, 0.7, 0, false},
		{BM_KIND_COUNT, "building index", "building", 0, 0.95, 0, false},
};

bool bm_kind_progress(enum bm_kind kind, const char *phase, double blocks, double tuples,
		struct bm_kind_progress *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(steps); i++) {
		if ((steps[i].kind == kind || steps[i].kind == BM_KIND_COUNT) &&
				bm_text_begins(phase, steps[i].phase)) {
			double share = steps[i].by_tuples ? tuples : blocks;
			share *= 1 - steps[i].slows + steps[i].slows * share;
			*out = (struct bm_kind_progress){steps[i].step,
					steps[i].from + (steps[i].to - steps[i].from) * share};
			return true;
		}
	}
	return false;
}
