/* Sequences, materialised views and statistics: what makes the copy usable at once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/postgres.h"
#include "transfer/internal.h"

/* Sequences asked for in one statement, and set in one. */
#define SEQUENCES_AT_ONCE 200

/* Small tables analyzed by one statement. */
#define SMALL_BYTES ((uint64_t)1 << 20)
#define TABLES_AT_ONCE 50

#define QUOTED(name) "'\"' || replace(" name ", '\"', '\"\"') || '\"'"

/* ---- sequences ---- */

/* Not in the snapshot: a sequence must not stand behind a row that was copied later. */
static int set_sequences(struct bm_transfer *t, PGconn *source, const PGresult *names,
		int first, int count, struct bm_error *err)
{
	struct bm_strbuf ask = BM_STRBUF_INIT;
	struct bm_strbuf set = BM_STRBUF_INIT;

	for (int i = first; i < first + count; i++) {
		bm_strbuf_puts(&ask, i > first ? " UNION ALL SELECT " : "SELECT ");
		bm_quote_literal(&ask, PQgetvalue(names, i, 0));
		bm_strbuf_printf(&ask, ", last_value, is_called FROM %s",
				PQgetvalue(names, i, 0));
	}
	PGresult *values = bm_sql(source, bm_strbuf_text(&ask), err);
	int rc = values != NULL ? 0 : -1;
	for (int i = 0; rc == 0 && i < PQntuples(values); i++) {
		bm_strbuf_puts(&set,
				i > 0 ? ", pg_catalog.setval(" : "SELECT pg_catalog.setval(");
		bm_quote_literal(&set, PQgetvalue(values, i, 0));
		bm_strbuf_printf(&set, "::regclass, %s, '%s')", PQgetvalue(values, i, 1),
				PQgetvalue(values, i, 2));
	}
	if (rc == 0) {
		rc = bm_sql_do(t->control, bm_strbuf_text(&set), err);
	}
	PQclear(values);
	bm_strbuf_finish(&ask);
	bm_strbuf_finish(&set);
	return rc;
}

/* clang-format off */
static const char sequences_sql[] =
		"SELECT " QUOTED("n.nspname") " || '.' || " QUOTED("c.relname")
		" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
		" AND c.oid <> ALL ($1::oid[])"
		" AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')"
		" ORDER BY 1";
/* clang-format on */

int bm_sequences_copy(struct bm_transfer *t, struct bm_error *err)
{
	PGconn *source = bm_endpoint_connect(&t->source, err);
	PGresult *names = source == NULL
			? NULL
			: bm_sql_params(source, sequences_sql, 1,
					  (const char *const *)&t->outside, err);
	int rc = names != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(names); i += SEQUENCES_AT_ONCE) {
		int left = PQntuples(names) - i;
		rc = set_sequences(t, source, names, i,
				left < SEQUENCES_AT_ONCE ? left : SEQUENCES_AT_ONCE, err);
	}
	PQclear(names);
	PQfinish(source);
	return rc == 0 ? 0 : bm_error_wrap(err, "setting the sequences");
}

/* ---- materialised views ---- */

/* In an order in which each reads only refreshed ones; views lie between them. */
/* clang-format off */
static const char views_sql[] =
		"WITH RECURSIVE dep AS (SELECT DISTINCT r.ev_class AS oid, d.refobjid AS needs"
		"  FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
		"  AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass"
		"  AND d.refobjid <> r.ev_class"
		"  JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')),"
		" level (oid, depth) AS (SELECT oid, 0 FROM pg_class WHERE relkind IN ('v', 'm')"
		"  UNION SELECT dep.oid, level.depth + 1 FROM level"
		"  JOIN dep ON dep.needs = level.oid WHERE level.depth < 100)"
		" SELECT " QUOTED("n.nspname") " || '.' || " QUOTED("c.relname") ", pg_table_size(c.oid)"
		" FROM level JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_'"
		" AND c.oid <> ALL ($1::oid[])"
		" GROUP BY c.oid, n.nspname, c.relname ORDER BY max(level.depth), 1";
/* clang-format on */

static void add(struct bm_transfer *t, enum bm_stage stage, const char *verb, const char *what,
		const char *sql, uint64_t cost)
{
	struct bm_work *work = bm_ledger_add_work(&t->ledger);

	work->stage = stage;
	work->name = bm_format("%s %s", verb, what);
	work->sql = bm_strdup(sql);
	work->tables[0] = bm_strdup("");
	work->tables[1] = bm_strdup("");
	work->cost = cost;
}

int bm_plan_refresh(struct bm_transfer *t, struct bm_error *err)
{
	PGresult *rows = bm_sql_params(
			t->keeper, views_sql, 1, (const char *const *)&t->outside, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "reading the source's materialised views");
	}
	for (int i = 0; i < PQntuples(rows); i++) {
		const char *name = PQgetvalue(rows, i, 0);
		uint64_t bytes = strtoull(PQgetvalue(rows, i, 1), NULL, 10);
		char *refresh = bm_format("REFRESH MATERIALIZED VIEW %s;", name);
		char *analyze = bm_format("ANALYZE %s;", name);
		add(t, BM_STAGE_REFRESH, "REFRESH", name, refresh, bytes);
		add(t, BM_STAGE_ANALYZE, "ANALYZE", name, analyze, bytes / 10);
		free(refresh);
		free(analyze);
	}
	PQclear(rows);
	return 0;
}

/* ---- statistics ---- */

void bm_plan_analyze(struct bm_transfer *t)
{
	struct bm_strbuf names = BM_STRBUF_INIT;

	for (size_t i = 0; i < t->tables.count;) {
		const char *first = t->tables.list[i].name;
		uint64_t bytes = 0;
		size_t count = 0;
		bm_strbuf_clear(&names);
		do {
			bm_strbuf_printf(&names, "%s%s", count > 0 ? ", " : "ANALYZE ",
					t->tables.list[i].name);
			bytes += t->tables.list[i++].bytes;
		} while (i < t->tables.count && ++count < TABLES_AT_ONCE &&
				t->tables.list[i].bytes <= SMALL_BYTES && bytes <= SMALL_BYTES);
		bm_strbuf_puts(&names, ";");
		add(t, BM_STAGE_ANALYZE, "ANALYZE", first, bm_strbuf_text(&names), bytes / 10);
	}
	bm_strbuf_finish(&names);
}
