/* Who is to blame, and what goes on. */
#include "worker/transfer/outlook.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/hints.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "worker/transfer/large_objects.h"

/* Less than this is copied again in a moment. */
#define WORTH_TELLING ((uint64_t)16 << 20)

/* ---- names ---- */

void bm_unquote(const char *quoted, char *out, size_t size)
{
	size_t length = 0;

	for (const char *p = quoted; *p != '\0' && length + 1 < size; p++) {
		size_t plain = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
		bool needless = *p == '"' && plain > 0 && p[1 + plain] == '"' &&
				strchr("0123456789", p[1]) == NULL;
		if (needless && length + plain < size) {
			memcpy(out + length, p + 1, plain);
			length += plain;
			p += plain + 1;
		} else {
			out[length++] = *p;
		}
	}
	out[length] = '\0';
}

/* ---- blame ---- */

void bm_outlook_blame(struct bm_transfer *t, const char *quoted)
{
	size_t room = strlen(quoted) + 1;

	if (strcmp(quoted, BM_LARGE_OBJECTS) == 0) {
		return;
	}
	pthread_mutex_lock(&t->mutex);
	if (t->blamed == NULL) {
		t->blamed = bm_alloc(room);
		bm_unquote(quoted, t->blamed, room);
	}
	pthread_mutex_unlock(&t->mutex);
}

void bm_outlook_blame_entry(
		struct bm_transfer *t, const char *type, const char *schema, const char *name)
{
	static const char *const relations[] = {
			"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"};
	struct bm_strbuf quoted = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(relations); i++) {
		if (strcmp(type, relations[i]) == 0) {
			bm_quote_ident(&quoted, schema);
			bm_strbuf_putc(&quoted, '.');
			bm_quote_ident(&quoted, name);
			bm_outlook_blame(t, bm_strbuf_text(&quoted));
		}
	}
	bm_strbuf_finish(&quoted);
}

void bm_outlook_close(struct bm_transfer *t)
{
	pthread_mutex_lock(&t->mutex);
	t->is_closed = true;
	pthread_mutex_unlock(&t->mutex);
}

const char *bm_transfer_exclude(const struct bm_transfer *t)
{
	return t->blamed != NULL ? t->blamed : "";
}

enum bm_outlook bm_transfer_outlook(const struct bm_transfer *t, const struct bm_error *err)
{
	bool passes = err->code == BM_ERR_TRANSIENT || err->code == BM_ERR_MOMENTS ||
			err->code == BM_ERR_TIMEOUT || bm_sql_is_full(err);

	if (t->is_closed) {
		return BM_OUTLOOK_NEVER;
	}
	if (!t->ledger.schema_done) {
		return passes ? BM_OUTLOOK_ANEW : BM_OUTLOOK_FAILS_ANEW;
	}
	return passes ? BM_OUTLOOK_GOES_ON : BM_OUTLOOK_FAILS;
}

/* ---- the cost of a kill ---- */

static int by_size(const void *a, const void *b)
{
	const struct bm_chunk *left = *(const struct bm_chunk *const *)a;
	const struct bm_chunk *right = *(const struct bm_chunk *const *)b;

	return left->estimate < right->estimate ? 1 : left->estimate > right->estimate ? -1 : 0;
}

/* The chunks that are missing, the largest first. */
static const struct bm_chunk **list_missing(const struct bm_ledger *ledger, size_t *count)
{
	const struct bm_chunk **list = bm_alloc((ledger->chunk_count + 1) * sizeof(*list));

	*count = 0;
	for (size_t i = 0; i < ledger->chunk_count; i++) {
		if (!ledger->chunks[i].done) {
			list[(*count)++] = &ledger->chunks[i];
		}
	}
	qsort(list, *count, sizeof(*list), by_size);
	return list;
}

void bm_outlook_report_cost(struct bm_transfer *t)
{
	size_t count;
	const struct bm_chunk **missing = list_missing(&t->ledger, &count);
	uint64_t most = 0;

	for (size_t i = 0; i < count && i < t->options.jobs; i++) {
		most += missing[i]->estimate;
	}
	if (most >= WORTH_TELLING) {
		struct bm_strbuf size = BM_STRBUF_INIT;
		char name[BM_PART_NAME_SIZE];
		bm_words_size(&size, (int64_t)most);
		bm_unquote(missing[0]->table, name, sizeof(name));
		bm_transfer_note(t,
				"a kill costs what is under way then: at most %s are copied again; "
				"the largest piece is %s%s",
				bm_strbuf_text(&size), name,
				missing[0]->condition[0] == '\0' ? ", whole"
								 : ", a range of it");
		bm_strbuf_finish(&size);
	}
	free(missing);
}
