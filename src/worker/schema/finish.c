/* Sequences, materialised views and statistics: what makes the copy usable at once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "worker/transfer/internal.h"

/* Sequences asked for in one statement, and set in one. */
#define SEQUENCES_AT_ONCE 200

/* Small tables analyzed by one statement. */
#define SMALL_BYTES ((uint64_t)1 << 20)
#define TABLES_AT_ONCE 50

/* ---- sequences ---- */

enum { SEQUENCE_NAME, SEQUENCE_DIRECTION, SEQUENCE_LAST, SEQUENCE_CALLED };

/* Where some of them stand now. Not in the snapshot: that does not hold for sequences. */
static PGresult *ask_sequences(PGconn *source, const PGresult *names, int first, int count,
		struct bm_error *err)
{
	struct bm_strbuf ask = BM_STRBUF_INIT;

	for (int i = first; i < first + count; i++) {
		bm_strbuf_puts(&ask, i > first ? " UNION ALL SELECT " : "SELECT ");
		bm_quote_literal(&ask, PQgetvalue(names, i, SEQUENCE_NAME));
		bm_strbuf_printf(&ask, ", %s, last_value, is_called FROM %s",
				PQgetvalue(names, i, SEQUENCE_DIRECTION),
				PQgetvalue(names, i, SEQUENCE_NAME));
	}
	PGresult *values = bm_sql(source, bm_strbuf_text(&ask), err);
	bm_strbuf_finish(&ask);
	return values;
}

static const struct bm_sequence *find_before(const struct bm_transfer *t, const char *name)
{
	for (size_t i = 0; i < t->sequence_count; i++) {
		if (strcmp(t->sequences[i].name, name) == 0) {
			return &t->sequences[i];
		}
	}
	return NULL;
}

/* It was set back since rows were copied that have its higher values. */
static bool was_ahead(const struct bm_sequence *before, const PGresult *now, int row)
{
	int64_t direction = strtoll(PQgetvalue(now, row, SEQUENCE_DIRECTION), NULL, 10);
	int64_t last = strtoll(PQgetvalue(now, row, SEQUENCE_LAST), NULL, 10);

	return before != NULL && direction != 0 &&
			(direction > 0 ? before->last > last : before->last < last);
}

static void add_sequence(
		struct bm_transfer *t, const PGresult *now, int row, struct bm_strbuf *sql)
{
	const char *name = PQgetvalue(now, row, SEQUENCE_NAME);
	const struct bm_sequence *before = find_before(t, name);

	bm_strbuf_puts(sql, row > 0 ? ", (" : "(");
	bm_quote_literal(sql, name);
	if (was_ahead(before, now, row)) {
		bm_strbuf_printf(sql, "::text, '%" PRId64 "'::bigint, %s)", before->last,
				before->called ? "true" : "false");
	} else {
		bm_strbuf_printf(sql, "::text, '%s'::bigint, '%s'::boolean)",
				PQgetvalue(now, row, SEQUENCE_LAST),
				PQgetvalue(now, row, SEQUENCE_CALLED));
	}
}

/* Not behind a row that was copied later. Names of those that are not there go to `gone`. */
static int set_sequences(struct bm_transfer *t, const PGresult *now, struct bm_strbuf *gone,
		struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(&sql, "SELECT v.name FROM (VALUES ");
	for (int i = 0; i < PQntuples(now); i++) {
		add_sequence(t, now, i, &sql);
	}
	bm_strbuf_puts(&sql,
			") v (name, last, called) WHERE CASE WHEN to_regclass(v.name) IS NULL THEN true"
			" ELSE pg_catalog.setval(to_regclass(v.name), v.last, v.called) IS NULL END");
	PGresult *missing = bm_sql(t->control, bm_strbuf_text(&sql), err);
	for (int i = 0; missing != NULL && i < PQntuples(missing); i++) {
		bm_strbuf_printf(gone, "%s%s", gone->length > 0 ? ", " : "",
				PQgetvalue(missing, i, 0));
	}
	int rc = missing != NULL ? 0 : -1;
	PQclear(missing);
	bm_strbuf_finish(&sql);
	return rc;
}

/* clang-format off */
static const char sequences_sql[] =
#include "worker/schema/sql/sequences.sql.inc"
;
/* clang-format on */

typedef int take_sequences(struct bm_transfer *t, const PGresult *now, struct bm_strbuf *gone,
		struct bm_error *err);

/* Ask the source where all of them stand, some at a time. */
static int for_sequences(struct bm_transfer *t, take_sequences *take, struct bm_strbuf *gone,
		struct bm_error *err)
{
	PGconn *source = bm_endpoint_connect(&t->source, err);
	PGresult *names = source == NULL
			? NULL
			: bm_sql_params(source, sequences_sql, 1,
					  (const char *const *)&t->outside, err);
	int rc = names != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(names); i += SEQUENCES_AT_ONCE) {
		int left = PQntuples(names) - i;
		PGresult *now = ask_sequences(source, names, i,
				left < SEQUENCES_AT_ONCE ? left : SEQUENCES_AT_ONCE, err);
		rc = now != NULL ? take(t, now, gone, err) : -1;
		PQclear(now);
	}
	PQclear(names);
	PQfinish(source);
	return rc;
}

int bm_sequences_copy(struct bm_transfer *t, struct bm_error *err)
{
	struct bm_strbuf gone = BM_STRBUF_INIT;
	int rc = for_sequences(t, set_sequences, &gone, err);

	if (rc == 0 && gone.length > 0) {
		bm_transfer_note(t,
				"sequences of the source that came after the schema was copied, and "
				"that the destination does not have: %s",
				bm_strbuf_text(&gone));
	}
	bm_strbuf_finish(&gone);
	return rc == 0 ? 0 : bm_error_wrap(err, "setting the sequences");
}

static int remember(struct bm_transfer *t, const PGresult *now, struct bm_strbuf *gone,
		struct bm_error *err)
{
	(void)gone;
	(void)err;
	for (int i = 0; i < PQntuples(now); i++) {
		t->sequences = bm_realloc(
				t->sequences, t->sequence_count + 1, sizeof(*t->sequences));
		t->sequences[t->sequence_count++] = (struct bm_sequence){
				.name = bm_strdup(PQgetvalue(now, i, SEQUENCE_NAME)),
				.last = strtoll(PQgetvalue(now, i, SEQUENCE_LAST), NULL, 10),
				.called = PQgetvalue(now, i, SEQUENCE_CALLED)[0] == 't'};
	}
	return 0;
}

int bm_sequences_remember(struct bm_transfer *t, struct bm_error *err)
{
	bm_sequences_forget(t);
	return for_sequences(t, remember, NULL, err) == 0
			? 0
			: bm_error_wrap(err, "reading the sequences");
}

void bm_sequences_forget(struct bm_transfer *t)
{
	for (size_t i = 0; i < t->sequence_count; i++) {
		free(t->sequences[i].name);
	}
	free(t->sequences);
	t->sequences = NULL;
	t->sequence_count = 0;
}

/* ---- materialised views ---- */

/* clang-format off */
static const char views_sql[] =
#include "worker/schema/sql/materialised_views.sql.inc"
;
/* clang-format on */

static void add(struct bm_transfer *t, enum bm_stage stage, const char *verb, const char *what,
		const char *sql, uint64_t cost)
{
	struct bm_post_object *object = bm_ledger_add_object(&t->ledger);

	object->stage = stage;
	object->name = bm_format("%s %s", verb, what);
	object->sql = bm_strdup(sql);
	object->tables[0] = bm_strdup("");
	object->tables[1] = bm_strdup("");
	object->cost = cost;
}

int bm_plan_refresh(struct bm_transfer *t, struct bm_error *err)
{
	PGresult *rows = bm_sql_params(t->snapshot_session, views_sql, 1,
			(const char *const *)&t->outside, err);

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
