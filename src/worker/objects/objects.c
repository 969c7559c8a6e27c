/* Passes over the large objects of both sides. */
#include "worker/objects/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/objects/internal.h"
#include "worker/session/ask.h"
#include "worker/session/pipeline.h"

/* So many are compared, and copied, in one go. */
#define BATCH "1000"

/* clang-format off */
#define PRINTS \
"TRUNCATE pg_temp.bm_object_now; INSERT INTO pg_temp.bm_object_now "

static const char refresh_sql[] = PRINTS
#include "worker/objects/sql/object_prints.sql.inc"
;
static const char prints_sql[] =
"SELECT count(*), pg_table_size('pg_largeobject'), sum(length(x.print)) FROM ("
#include "worker/objects/sql/object_prints.sql.inc"
") x";
static const char begin_sql[] =
#include "worker/objects/sql/object_begin.sql.inc"
;
static const char digests_sql[] =
#include "worker/verify/sql/verify_large_objects.sql.inc"
" WHERE m.oid = ANY ($1::oid[]) ORDER BY m.oid";

#define CHANGED "FROM pg_temp.bm_object_now n FULL JOIN pg_temp.bm_object_known k USING (loid)" \
	" WHERE n.print IS DISTINCT FROM k.print"
static const char changed_sql[] =
"SELECT coalesce(string_agg(x.loid::text, ','), '') FROM (SELECT loid " CHANGED " ORDER BY 1 LIMIT " BATCH ") x";
static const char written_sql[] =
"SELECT count(*), string_agg(x.loid::text, ', ') FILTER (WHERE x.n <= 5) FROM"
" (SELECT loid, row_number() OVER (ORDER BY loid) AS n " CHANGED ") x";

/* Of those that were looked at ($1) the ones that were copied ($2) are not known on `to`. */
static const char forget_sql[] = "DELETE FROM pg_temp.bm_object_known WHERE loid = ANY ($1::oid[])";
static const char know_sql[] =
"INSERT INTO pg_temp.bm_object_known SELECT * FROM pg_temp.bm_object_now WHERE loid = ANY ($1::oid[])"
" AND loid <> ALL ($2::oid[])";
static const char leave_sql[] = "DELETE FROM pg_temp.bm_object_now WHERE loid = ANY ($1::oid[])";
/* clang-format on */

enum { OID, BYTES, DIGEST };

static uint64_t left(const struct bm_objects_pass *p)
{
	uint64_t now = bm_clock_msec();

	return p->deadline_msec > now ? p->deadline_msec - now : 1;
}

int bm_objects_do(struct bm_objects_pass *p, PGconn *conn, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *done = bm_ask(conn, sql, count, params, left(p), err);

	PQclear(done);
	return done != NULL ? 0 : -1;
}

int bm_objects_script(
		struct bm_objects_pass *p, PGconn *conn, const char *sql, struct bm_error *err)
{
	PGresult *done = bm_ask_script(conn, sql, left(p), err);

	PQclear(done);
	return done != NULL ? 0 : -1;
}

/* ---- what may have changed ---- */

static char *changed_on(struct bm_objects_pass *p, PGconn *conn, struct bm_error *err)
{
	PGresult *rows = bm_ask(conn, changed_sql, 0, NULL, left(p), err);
	char *list = rows != NULL ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;

	PQclear(rows);
	return list;
}

/* "{1,2}": those that changed on either side; "{}" none; NULL with `err`. */
static char *changed(struct bm_objects_pass *p, struct bm_error *err)
{
	char *here = changed_on(p, p->o->from, err);
	char *there = here != NULL ? changed_on(p, p->o->to, err) : NULL;
	char *both = there != NULL
			? bm_format("{%s%s%s}", here,
					  here[0] != '\0' && there[0] != '\0' ? "," : "", there)
			: NULL;

	free(here);
	free(there);
	return both;
}

/* ---- comparing ---- */

static int read_digests(struct bm_objects_pass *p, const char *oids, PGresult *rows[2],
		struct bm_error *err)
{
	const char *const params[] = {oids};

	rows[1] = NULL;
	rows[0] = bm_ask(p->o->from, digests_sql, 1, params, left(p), err);
	if (rows[0] != NULL) {
		rows[1] = bm_ask(p->o->to, digests_sql, 1, params, left(p), err);
	}
	return rows[1] != NULL ? 0 : -1;
}

static unsigned long oid_at(const PGresult *rows, int row)
{
	return row < PQntuples(rows) ? strtoul(PQgetvalue(rows, row, OID), NULL, 10)
				     : UINT64_MAX;
}

/* Both are in the order of their OIDs. -1 with `err`: one cannot be read. */
static int find_different(PGresult *const rows[2], struct bm_strbuf *list, struct bm_error *err)
{
	int i = 0, j = 0;

	while (i < PQntuples(rows[0]) || j < PQntuples(rows[1])) {
		unsigned long mine = oid_at(rows[0], i), other = oid_at(rows[1], j);
		bool is_unread = (mine <= other && PQgetisnull(rows[0], i, DIGEST)) ||
				(other <= mine && PQgetisnull(rows[1], j, DIGEST));
		if (is_unread) {
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"our role may not read large object %lu",
					mine < other ? mine : other);
		}
		if (mine != other ||
				strcmp(PQgetvalue(rows[0], i, DIGEST),
						PQgetvalue(rows[1], j, DIGEST)) != 0) {
			bm_strbuf_printf(list, "%s%lu", list->length > 1 ? "," : "",
					mine < other ? mine : other);
		}
		i += mine <= other;
		j += other <= mine;
	}
	return 0;
}

/* "{1,2}" of those of `oids` that are not the same; NULL with `err`. */
static char *different(struct bm_objects_pass *p, const char *oids, uint64_t *looked,
		struct bm_error *err)
{
	struct bm_strbuf list = BM_STRBUF_INIT;
	PGresult *rows[2];
	int rc = read_digests(p, oids, rows, err);

	bm_strbuf_puts(&list, "{");
	rc = rc == 0 ? find_different(rows, &list, err) : -1;
	*looked += rc == 0 ? (uint64_t)PQntuples(rows[0]) : 0;
	bm_strbuf_puts(&list, "}");
	PQclear(rows[0]);
	PQclear(rows[1]);
	if (rc != 0) {
		bm_strbuf_finish(&list);
		return NULL;
	}
	return bm_strbuf_detach(&list);
}

static int copy_different(struct bm_objects_pass *p, const char *oids, struct bm_error *err)
{
	uint64_t ignored = 0;

	if (bm_objects_copy(p, oids, err) != 0) {
		return -1;
	}
	char *still = different(p, oids, &ignored, err);
	int rc = still == NULL ? -1 : 0;
	if (still != NULL && strcmp(still, "{}") != 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"large objects differ after they were copied again: %.200s",
				still);
	}
	free(still);
	return rc;
}

static uint64_t count_of(const char *list)
{
	uint64_t count = strcmp(list, "{}") != 0;

	for (; *list != '\0'; list++) {
		count += *list == ',';
	}
	return count;
}

/* ---- a pass ---- */

static int know(struct bm_objects_pass *p, const char *looked, const char *copied,
		struct bm_error *err)
{
	const char *const here[] = {looked, "{}"}, *const there[] = {looked, copied};
	const char *const gone[] = {copied};
	int rc = bm_objects_do(p, p->o->from, forget_sql, 1, here, err);

	rc = rc == 0 ? bm_objects_do(p, p->o->from, know_sql, 2, here, err) : -1;
	rc = rc == 0 ? bm_objects_do(p, p->o->to, forget_sql, 1, there, err) : -1;
	rc = rc == 0 ? bm_objects_do(p, p->o->to, know_sql, 2, there, err) : -1;
	return rc == 0 ? bm_objects_do(p, p->o->to, leave_sql, 1, gone, err) : -1;
}

/* 1: there may be more; 0: all are the same. */
static int batch(struct bm_objects_pass *p, struct bm_objects_result *result,
		struct bm_error *err)
{
	char *oids = changed(p, err);
	int rc = oids == NULL ? -1 : strcmp(oids, "{}") != 0;

	if (rc == 1) {
		char *list = different(p, oids, &result->looked, err);
		rc = list != NULL ? 1 : -1;
		if (rc == 1 && strcmp(list, "{}") != 0) {
			result->copied += count_of(list);
			rc = copy_different(p, list, err) == 0 ? 1 : -1;
		}
		rc = rc == 1 && know(p, oids, list, err) != 0 ? -1 : rc;
		free(list);
	}
	free(oids);
	return rc;
}

static int refresh(struct bm_objects_pass *p, struct bm_error *err)
{
	PGconn *const conns[] = {p->o->from, p->o->to};
	int rc = 0;

	for (int i = 0; rc == 0 && i < 2; i++) {
		rc = bm_objects_script(p, conns[i], begin_sql, err);
		rc = rc == 0 ? bm_objects_script(p, conns[i], refresh_sql, err) : -1;
	}
	return rc;
}

static void undo_one(struct bm_objects_pass *p, PGconn *conn)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGTransactionStatusType state = PQtransactionStatus(conn);

	p->deadline_msec = bm_clock_msec() + 500;
	if (state == PQTRANS_ACTIVE ||
			(state != PQTRANS_IDLE &&
					bm_objects_script(p, conn, "ROLLBACK", &ignored) !=
							0)) {
		bm_pipeline_cut(conn);
	}
}

static int run(struct bm_objects_pass *p, struct bm_objects_result *result,
		struct bm_error *err)
{
	bool is_callers = PQtransactionStatus(p->o->from) == PQTRANS_INTRANS;
	int more = 1;
	int rc = is_callers
			? 0
			: bm_objects_script(p, p->o->from,
					  "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
					  err);

	rc = rc == 0 ? bm_objects_script(p, p->o->to, "BEGIN", err) : -1;
	rc = rc == 0 ? refresh(p, err) : -1;
	while (rc == 0 && more > 0) {
		more = batch(p, result, err);
		rc = more < 0 ? -1 : 0;
	}
	rc = rc == 0 ? bm_objects_script(p, p->o->to, "COMMIT", err) : -1;
	if (rc == 0 && !is_callers) {
		rc = bm_objects_script(p, p->o->from, "COMMIT", err);
	}
	if (rc != 0) {
		undo_one(p, p->o->to);
		if (!is_callers) {
			undo_one(p, p->o->from);
		}
	}
	return rc;
}

int bm_objects_pass(const struct bm_objects *o, uint64_t limit_msec,
		struct bm_objects_result *result, struct bm_error *err)
{
	struct bm_objects_pass p = {.o = o, .deadline_msec = bm_clock_msec() + limit_msec};

	*result = (struct bm_objects_result){0};
	int rc = run(&p, result, err);
	snprintf(result->told, sizeof(result->told), "%s", p.told);
	return rc == 0 ? 0 : bm_error_wrap(err, "large objects");
}

/* ---- besides ---- */

int bm_objects_written(const struct bm_objects *o, uint64_t limit_msec, char names[64],
		uint64_t *count, struct bm_error *err)
{
	struct bm_objects_pass p = {.o = o, .deadline_msec = bm_clock_msec() + limit_msec};
	int rc = bm_objects_script(&p, o->from, begin_sql, err);

	rc = rc == 0 ? bm_objects_script(&p, o->from, refresh_sql, err) : -1;
	PGresult *rows = rc == 0 ? bm_ask(o->from, written_sql, 0, NULL, left(&p), err) : NULL;
	if (rows != NULL) {
		*count = strtoull(PQgetvalue(rows, 0, 0), NULL, 10);
		snprintf(names, 64, "%s", PQgetvalue(rows, 0, 1));
	}
	PQclear(rows);
	return rows != NULL ? 0 : bm_error_wrap(err, "large objects");
}

int bm_objects_measure(PGconn *conn, uint64_t limit_msec, struct bm_objects_size *out,
		struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	PGresult *rows = bm_ask(conn, prints_sql, 0, NULL, limit_msec, err);

	*out = (struct bm_objects_size){0};
	if (rows != NULL) {
		out->count = strtoull(PQgetvalue(rows, 0, 0), NULL, 10);
		out->bytes = strtoull(PQgetvalue(rows, 0, 1), NULL, 10);
		out->msec = bm_clock_msec() - begun_msec;
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}
