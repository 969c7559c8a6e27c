/* The statements of one table: texts. */
#include "bucardo_machine/libpq.h"
#include "worker/apply/internal.h"

static void put_list(const struct bm_apply_column *column, char *const *arrays, size_t index,
		struct bm_strbuf *out)
{
	if (arrays == NULL) {
		bm_strbuf_printf(out, "$%zu", index + 1);
	} else {
		bm_quote_literal(out, arrays[index]);
	}
	bm_strbuf_printf(out, "::%s[]", column->type);
}

static void put_column(const struct bm_apply_column *column, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "bm.%s", column->name);
	if (column->is_domain) {
		bm_strbuf_printf(out, "::%s", column->type);
	}
	bm_strbuf_printf(out, " %s ", column->equal);
}

void bm_apply_condition(const struct bm_apply_table *table, enum bm_apply_end end,
		char *const *arrays, struct bm_strbuf *out)
{
	const struct bm_apply_column *key = table->key[end];

	if (table->key_count == 1) {
		put_column(&key[0], out);
		bm_strbuf_puts(out, "ANY (");
		put_list(&key[0], arrays, 0, out);
		bm_strbuf_puts(out, ")");
		return;
	}
	bm_strbuf_puts(out, "EXISTS (SELECT 1 FROM (SELECT ");
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_puts(out, i > 0 ? ", pg_catalog.unnest(" : "pg_catalog.unnest(");
		put_list(&key[i], arrays, i, out);
		bm_strbuf_printf(out, ") AS k%zu", i);
	}
	bm_strbuf_puts(out, ") bm_keys WHERE ");
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_puts(out, i > 0 ? " AND " : "");
		put_column(&key[i], out);
		bm_strbuf_printf(out, "bm_keys.k%zu", i);
	}
	bm_strbuf_puts(out, ")");
}

static void put_waiting(const struct bm_apply_table *table, struct bm_strbuf *out)
{
	bm_strbuf_printf(out,
			"FROM bucardo.%s d WHERE NOT EXISTS (SELECT 1 FROM bucardo.%s t"
			" WHERE t.txntime = d.txntime AND t.target = $1)",
			table->delta, table->track);
}

/* Two transactions with one txntime, of which one may have been marked with the other. */
void bm_apply_ask_sql(const struct bm_apply_table *table, struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "SELECT EXISTS (SELECT 1 ");
	put_waiting(table, out);
	bm_strbuf_printf(out,
			"), EXISTS (SELECT 1 FROM (SELECT x.txntime, x.txntime = lag(x.txntime) OVER w"
			" AND x.xmin <> lag(x.xmin) OVER w AS is_twin FROM bucardo.%s x"
			" WINDOW w AS (ORDER BY x.txntime)) d WHERE d.is_twin AND EXISTS (SELECT 1"
			" FROM bucardo.%s t WHERE t.txntime = d.txntime AND t.target = $1))",
			table->delta, table->track);
}

/* The keys in arrays of so many, and in the same statement, so of the same snapshot, the marks.
 * A key in two spellings finds its row twice: then all are in one array (apply.pl). */
char *bm_apply_keys_sql(const struct bm_apply_table *table)
{
	struct bm_strbuf sql = BM_STRBUF_INIT, names = BM_STRBUF_INIT;
	const char *by = table->one_spelling ? " GROUP BY (x.bm_number - 1) / " BM_APPLY_CHUNK
					     : " HAVING count(*) > 0";

	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "",
				table->key[BM_APPLY_FROM][i].name);
	}
	bm_strbuf_puts(&sql, "WITH pending AS MATERIALIZED (SELECT d.* ");
	put_waiting(table, &sql);
	bm_strbuf_printf(&sql,
			"), marks AS (INSERT INTO bucardo.%s (txntime, target) SELECT DISTINCT txntime, $1"
			" FROM pending) SELECT count(*)",
			table->track);
	for (size_t i = 0; i < table->key_count; i++) {
		bm_strbuf_printf(&sql, ", array_agg(format('%%s', x.%s))",
				table->key[BM_APPLY_FROM][i].name);
	}
	bm_strbuf_printf(&sql,
			" FROM (SELECT k.*, row_number() OVER () AS bm_number FROM (SELECT DISTINCT %s FROM pending) k) x%s",
			bm_strbuf_text(&names), by);
	bm_strbuf_finish(&names);
	return bm_strbuf_detach(&sql);
}

char *bm_apply_delete_sql(const struct bm_apply_table *table)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_printf(&sql, "DELETE FROM %s%s AS bm WHERE ",
			table->is_partitioned ? "" : "ONLY ", table->name);
	bm_apply_condition(table, BM_APPLY_TO, NULL, &sql);
	return bm_strbuf_detach(&sql);
}
