/* SQL texts about ranges of a key. */
#include "worker/transfer/chunks.h"

#include "bucardo_machine/libpq.h"

/* Pages looked at for each range: enough for ranges of alike size, few to read. */
#define PAGES_A_CHUNK 64

/* A table is not cut for less than half a chunk. */
unsigned bm_chunk_count(uint64_t bytes, uint64_t chunk_bytes, bool whole)
{
	uint64_t count = (bytes + chunk_bytes / 2) / chunk_bytes;

	if (count < 1 || (whole && count <= BM_TRANSFER_WHOLE_CHUNKS)) {
		return 1;
	}
	return count > 100000 ? 100000 : (unsigned)count;
}

static void add_columns(const struct bm_key *key, const char *suffix, struct bm_strbuf *sql)
{
	for (size_t i = 0; i < key->count; i++) {
		bm_strbuf_printf(sql, "%s%s%s", i > 0 ? ", " : "", key->columns[i], suffix);
	}
}

void bm_chunk_boundaries(const struct bm_table *table, const struct bm_key *key, unsigned count,
		struct bm_strbuf *sql)
{
	double percent = table->pages == 0
			? 100
			: 100.0 * PAGES_A_CHUNK * (double)count / (double)table->pages;

	bm_strbuf_puts(sql, "SELECT ");
	add_columns(key, "::text", sql);
	bm_strbuf_puts(sql, " FROM (SELECT ");
	add_columns(key, "", sql);
	bm_strbuf_puts(sql, ", row_number() OVER (ORDER BY ");
	add_columns(key, "", sql);
	bm_strbuf_printf(sql,
			") AS bm_n, count(*) OVER () AS bm_c FROM ONLY %s"
			" TABLESAMPLE SYSTEM (%.6f) REPEATABLE (1)) s",
			table->name, percent > 100 ? 100 : percent);
	bm_strbuf_printf(sql,
			" WHERE bm_n * %u / bm_c > (bm_n - 1) * %u / bm_c AND bm_n * %u / bm_c < %u"
			" ORDER BY bm_n",
			count, count, count, count);
}

/* ROW(a, b) >= ROW('1'::integer, 'x'::text); a single column without ROW(). */
static void add_comparison(const struct bm_key *key, const char *operator,
		const char * const * values, struct bm_strbuf *sql)
{
	const char *open = key->count > 1 ? "ROW(" : "";
	const char *close = key->count > 1 ? ")" : "";

	bm_strbuf_puts(sql, open);
	add_columns(key, "", sql);
	bm_strbuf_printf(sql, "%s %s %s", close, operator, open);
	for (size_t i = 0; i < key->count; i++) {
		bm_strbuf_puts(sql, i > 0 ? ", " : "");
		bm_quote_literal(sql, values[i]);
		bm_strbuf_printf(sql, "::%s", key->types[i]);
	}
	bm_strbuf_puts(sql, close);
}

void bm_chunk_condition(const struct bm_key *key, const char *const *low,
		const char *const *high, struct bm_strbuf *sql)
{
	if (low != NULL) {
		add_comparison(key, ">=", low, sql);
	}
	if (low != NULL && high != NULL) {
		bm_strbuf_puts(sql, " AND ");
	}
	if (high != NULL) {
		add_comparison(key, "<", high, sql);
	}
}

static void add_format(bool binary, struct bm_strbuf *sql)
{
	bm_strbuf_puts(sql, binary ? " (FORMAT binary)" : "");
}

void bm_chunk_copy_out(const struct bm_table *table, const char *condition, bool binary,
		struct bm_strbuf *sql)
{
	if (condition[0] == '\0' && table->filter[0] == '\0' && table->columns[0] != '\0') {
		bm_strbuf_printf(sql, "COPY %s (%s) TO STDOUT", table->name, table->columns);
	} else {
		bm_strbuf_printf(sql, "COPY (SELECT %s FROM ONLY %s %s%s%s) TO STDOUT",
				table->columns, table->name, table->filter,
				condition[0] != '\0' ? " WHERE " : "", condition);
	}
	add_format(binary, sql);
}

void bm_chunk_copy_in(
		const struct bm_table *table, bool binary, bool frozen, struct bm_strbuf *sql)
{
	if (frozen) {
		bm_strbuf_printf(sql, "TRUNCATE ONLY %s; ", table->name);
	}
	bm_strbuf_printf(sql, "COPY %s", table->name);
	if (table->columns[0] != '\0') {
		bm_strbuf_printf(sql, " (%s)", table->columns);
	}
	bm_strbuf_printf(sql, " FROM STDIN%s%s", frozen ? " (FREEZE" : "",
			!binary ? (frozen ? ")" : "")
				: (frozen ? ", FORMAT binary)" : " (FORMAT binary)"));
}
