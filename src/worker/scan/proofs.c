#include "worker/scan/proofs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "worker/scan/moment.h"

/* The first number of an advisory lock; the second one is the migration's. "bmpr". */
#define CLAIM "1651339378"

/* The same, of the background. "bmps". */
#define CLAIM_BESIDE "1651339379"

/* A plan whose buckets have become that much too big is made anew. */
#define GROWN 8

/* clang-format off */
static const char state_sql[] =
#include "worker/scan/sql/proof_state.sql.inc"
;
static const char truncates_sql[] =
#include "worker/scan/sql/proof_truncates.sql.inc"
;

static const char plan_sql[] =
"SELECT definition, buckets, array_to_json(bounds), bucket, counters, complete FROM bucardo.machine_proof_plans"
" WHERE migration = $1 AND tablename = $2";
static const char put_sql[] =
"INSERT INTO bucardo.machine_proof_plans (migration, tablename, definition, buckets, bounds, bucket, counters)"
" VALUES ($1, $2, $3, $4, $5, $6, $7)";
static const char counters_sql[] =
"UPDATE bucardo.machine_proof_plans SET counters = $3, complete = false WHERE migration = $1 AND tablename = $2";
static const char complete_sql[] =
"UPDATE bucardo.machine_proof_plans SET complete = true WHERE migration = $1 AND tablename = $2";
static const char forget_plans[] =
"DELETE FROM bucardo.machine_proof_plans WHERE migration = $1 AND tablename = $2";
static const char take_marks[] =
"DELETE FROM bucardo.machine_proof_marks WHERE migration = $1 AND tablename = $2 RETURNING bucket";
static const char forget_proofs[] =
"DELETE FROM bucardo.machine_proofs WHERE migration = $1 AND tablename = $2";
static const char forget_some[] =
"DELETE FROM bucardo.machine_proofs WHERE migration = $1 AND tablename = $2 AND bucket = ANY ($3::int[])";
static const char forget_range[] =
"DELETE FROM bucardo.machine_proofs WHERE migration = $1 AND tablename = $2 AND bucket >= $3 AND bucket < $4";
static const char proven_sql[] =
"SELECT bucket, rows, min(proven) OVER () FROM bucardo.machine_proofs WHERE migration = $1 AND tablename = $2"
" AND ($3 = '0' OR proven > now() - ($3 || ' milliseconds')::interval)";
static const char add_sql[] =
"INSERT INTO bucardo.machine_proofs SELECT $1, $2, b, r, $5::timestamptz"
" FROM unnest($3::int[], $4::bigint[]) x(b, r) ON CONFLICT (migration, tablename, bucket)"
" DO UPDATE SET rows = excluded.rows, proven = excluded.proven";
/* clang-format on */

struct opening {
	struct bm_pair *pair;
	const char *migration;
	const struct bm_verify_table *table;
	char *definition; /* a plan of another one does not fit */
	char *counters;	  /* of both sides, before anything is read */
};

static PGresult *ask(struct opening *o, enum bm_pair_side side, const char *sql,
		const char *third, struct bm_error *err)
{
	const char *const params[] = {o->migration, o->table->name, third};

	PGresult *rows = bm_pair_ask_one(
			o->pair->aside[side], sql, third != NULL ? 3 : 2, params, err);
	if (rows == NULL) {
		bm_error_wrap(err, "%s: the proofs of earlier passes", bm_pair_side_name(side));
	}
	return rows;
}

static int do_it(struct opening *o, enum bm_pair_side side, const char *sql, const char *third,
		struct bm_error *err)
{
	PGresult *rows = ask(o, side, sql, third, err);

	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* ---- what has to be the same for a plan to hold ---- */

static char *text_of(struct bm_pair *pair, const struct bm_verify_table *table,
		enum bm_pair_side side, const char *sql, struct bm_error *err)
{
	const char *const params[] = {table->schema, table->plain};
	PGresult *rows = bm_pair_ask_one(pair->aside[side], sql, 2, params, err);
	char *text = rows != NULL ? bm_strdup(PQgetvalue(rows, 0, 0)) : NULL;

	PQclear(rows);
	return text;
}

char *bm_proofs_counters(
		struct bm_pair *pair, const struct bm_verify_table *table, struct bm_error *err)
{
	char *source = text_of(pair, table, BM_PAIR_SOURCE, state_sql, err);
	char *other = source != NULL ? text_of(pair, table, BM_PAIR_DESTINATION, state_sql, err)
				     : NULL;
	char *both = other != NULL ? bm_format("%s/%s", source, other) : NULL;

	free(source);
	free(other);
	return both;
}

/* The truncates that both sides know of; a side that captures none knows none. */
static char *truncates_of(struct opening *o, struct bm_error *err)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	bool known = true;

	for (enum bm_pair_side side = 0; known && side < BM_PAIR_SIDES; side++) {
		if (o->table->pending[side] != NULL) {
			char *truncates = text_of(o->pair, o->table, side, truncates_sql, err);
			known = truncates != NULL;
			bm_strbuf_printf(&text, "%s/", known ? truncates : "");
			free(truncates);
		}
	}
	if (known) {
		return bm_strbuf_detach(&text);
	}
	bm_strbuf_finish(&text);
	return NULL;
}

/* Columns and hash by the statement that they make, and which tables these are: another one,
 * another destination or a truncate makes all proofs old. */
static int describe(struct opening *o, const struct bm_digest *digest, struct bm_error *err)
{
	struct bm_strbuf row = BM_STRBUF_INIT;
	const PGconn *destination = o->pair->main[BM_PAIR_DESTINATION];
	char *truncates = truncates_of(o, err);
	bool known = truncates != NULL &&
			(o->counters = bm_proofs_counters(o->pair, o->table, err)) != NULL;

	if (known) {
		bm_digest_row(digest, o->table, &row);
		bm_strbuf_puts(&row, " BY ");
		bm_digest_key_texts(o->table, &row);
		bm_strbuf_printf(&row, " AFTER %s OF %s / %s ON %s:%s %s", truncates,
				o->table->definition[BM_PAIR_SOURCE],
				o->table->definition[BM_PAIR_DESTINATION], PQhost(destination),
				PQport(destination), PQdb(destination));
		o->definition = bm_strbuf_detach(&row);
	}
	free(truncates);
	bm_strbuf_finish(&row);
	return known ? 0 : -1;
}

/* ---- a plan ---- */

static bool fits(const struct opening *o, const PGresult *plan)
{
	uint64_t buckets = PQntuples(plan) > 0 ? strtoull(PQgetvalue(plan, 0, 1), NULL, 10) : 0;

	return buckets > 0 && strcmp(PQgetvalue(plan, 0, 0), o->definition) == 0 &&
			o->table->rows / buckets < GROWN * BM_RANGES_BUCKET_ROWS;
}

/* A side whose plan is gone, or is another one, purges without marks. */
static int is_planned(struct opening *o, enum bm_pair_side side, const PGresult *plan,
		struct bm_error *err)
{
	PGresult *theirs = ask(o, side, plan_sql, NULL, err);
	int same = theirs == NULL ? -1
				  : PQntuples(theirs) == 1 &&
					strcmp(PQgetvalue(theirs, 0, 0),
							PQgetvalue(plan, 0, 0)) == 0 &&
					strcmp(PQgetvalue(theirs, 0, 3),
							PQgetvalue(plan, 0, 3)) == 0;

	PQclear(theirs);
	return same;
}

/* 1, 0 or -1: a plan that fits, on every side that purges. */
static int holds(struct opening *o, const PGresult *plan, struct bm_error *err)
{
	bool both = o->table->pending[BM_PAIR_DESTINATION] != NULL;

	if (!fits(o, plan)) {
		return 0;
	}
	return both ? is_planned(o, BM_PAIR_DESTINATION, plan, err) : 1;
}

static int put_plan(struct opening *o, enum bm_pair_side side, const struct bm_ranges *ranges,
		struct bm_error *err)
{
	char count[16];
	char *bounds = bm_ranges_array(ranges);
	const char *const params[] = {o->migration, o->table->name, o->definition, count,
			bounds, ranges->bucket, o->counters};
	int rc = do_it(o, side, take_marks, NULL, err) == 0
			? do_it(o, side, forget_plans, NULL, err)
			: -1;

	snprintf(count, sizeof(count), "%u", ranges->count);
	PGresult *put = rc == 0 ? bm_pair_ask_one(o->pair->aside[side], put_sql, 7, params, err)
				: NULL;
	PQclear(put);
	free(bounds);
	return put != NULL ? 0 : -1;
}

/* In force before anything is read: what is purged from then on is marked by it. The source is
 * last: its plan is the one that is looked for. */
static int plan_anew(struct opening *o, const struct bm_digest *digest,
		struct bm_ranges *ranges, struct bm_error *err)
{
	int rc = do_it(o, BM_PAIR_SOURCE, forget_proofs, NULL, err);

	if (rc == 0) {
		rc = bm_ranges_plan(o->pair, digest, o->table, ranges, err);
	}
	if (rc == 0 && o->table->pending[BM_PAIR_DESTINATION] != NULL) {
		rc = put_plan(o, BM_PAIR_DESTINATION, ranges, err);
	}
	return rc == 0 ? put_plan(o, BM_PAIR_SOURCE, ranges, err) : -1;
}

/* ---- what is proven ---- */

/* Marks become buckets that are not proven, while nobody purges. The source is committed first:
 * what is marked twice is read twice. */
static int take_marks_of(struct opening *o, enum bm_pair_side side, struct bm_error *err)
{
	PGresult *marks = ask(o, side, take_marks, NULL, err);
	struct bm_strbuf array = BM_STRBUF_INIT;

	for (int row = 0; marks != NULL && row < PQntuples(marks); row++) {
		bm_quote_array_add(&array, PQgetvalue(marks, row, 0));
	}
	char *buckets = bm_quote_array_end(&array);
	int rc = marks != NULL ? do_it(o, BM_PAIR_SOURCE, forget_some, buckets, err) : -1;
	PQclear(marks);
	free(buckets);
	return rc;
}

static int take_all_marks(struct opening *o, struct bm_error *err)
{
	int rc = bm_moment_lock(o->pair, o->table, err);

	for (enum bm_pair_side side = 0; rc == 0 && side < BM_PAIR_SIDES; side++) {
		if (o->table->pending[side] != NULL) {
			rc = take_marks_of(o, side, err);
		}
	}
	return bm_moment_unlock(o->pair, rc, err);
}

static int read_proven(struct opening *o, unsigned buckets, uint64_t max_age_msec,
		struct bm_proofs *out, struct bm_error *err)
{
	char *age = bm_format("%" PRIu64, max_age_msec);
	PGresult *rows = ask(o, BM_PAIR_SOURCE, proven_sql, age, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		unsigned long bucket = strtoul(PQgetvalue(rows, row, 0), NULL, 10);
		if (bucket < buckets) {
			out->proven[bucket] = true;
			out->rows += strtoll(PQgetvalue(rows, row, 1), NULL, 10);
		}
		bm_text_copy(out->oldest, sizeof(out->oldest), PQgetvalue(rows, row, 2));
	}
	free(age);
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* Somebody wrote rows since a complete pass began: everything is read again. */
static int begin_anew(struct opening *o, struct bm_error *err)
{
	return do_it(o, BM_PAIR_SOURCE, forget_proofs, NULL, err) == 0
			? do_it(o, BM_PAIR_SOURCE, counters_sql, o->counters, err)
			: -1;
}

static int open_plan(struct opening *o, bool trusting, const PGresult *plan,
		struct bm_ranges *ranges, struct bm_error *err)
{
	bool is_complete = PQgetvalue(plan, 0, 5)[0] == 't';
	bool is_same = strcmp(PQgetvalue(plan, 0, 4), o->counters) == 0;

	if (bm_ranges_take(PQgetvalue(plan, 0, 2), PQgetvalue(plan, 0, 3),
			    (unsigned)strtoul(PQgetvalue(plan, 0, 1), NULL, 10), ranges) != 0) {
		return bm_error_set(
				err, BM_ERR_INTERNAL, "the plan of an earlier pass is damaged");
	}
	if (!trusting && is_complete && !is_same && begin_anew(o, err) != 0) {
		return -1;
	}
	return take_all_marks(o, err);
}

static int open_proofs(struct opening *o, bool trusting, uint64_t max_age_msec,
		const struct bm_digest *digest, struct bm_ranges *ranges, struct bm_proofs *out,
		struct bm_error *err)
{
	if (describe(o, digest, err) != 0) {
		return -1;
	}
	PGresult *plan = ask(o, BM_PAIR_SOURCE, plan_sql, NULL, err);
	int rc = plan != NULL ? holds(o, plan, err) : -1;

	if (rc >= 0) {
		rc = rc > 0 ? open_plan(o, trusting, plan, ranges, err)
			    : plan_anew(o, digest, ranges, err);
	}
	PQclear(plan);
	if (rc == 0) {
		out->proven = bm_alloc((ranges->count + 1) * sizeof(bool));
		rc = read_proven(o, ranges->count, max_age_msec, out, err);
	}
	return rc;
}

/* A question with one answer, of the migration. */
static int ask_yes(PGconn *source, const char *sql, const char *migration, struct bm_error *err)
{
	PGresult *row = bm_pair_ask_one(source, sql, 1, &migration, err);
	int yes = row == NULL ? -1 : PQgetvalue(row, 0, 0)[0] == 't';

	PQclear(row);
	return yes;
}

/* Of advisory locks of two numbers: the second one is a hash, without its sign. */
#define LOCKED(number, what)                                                                   \
	"SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"   \
	" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"     \
	" AND classid = " number                                                               \
	" AND objid = (hashtext($1)::bigint & 4294967295)::oid AND " what ")"

/* The background gives way between two readings. */
static int wait_for_claim(PGconn *source, const char *migration, struct bm_error *err)
{
	PGresult *taken = NULL;
	int rc = bm_pair_do(source, "SELECT set_config('lock_timeout', '30s', false)", err);

	if (rc == 0) {
		taken = bm_pair_ask_one(source,
				"SELECT pg_advisory_lock(" CLAIM ", hashtext($1))", 1,
				&migration, err);
		rc = bm_pair_do(source, "SELECT set_config('lock_timeout', '0', false)",
				&(struct bm_error)BM_ERROR_INIT);
	}
	int own = taken != NULL;
	PQclear(taken);
	return rc != 0 ? -1 : own;
}

int bm_proofs_claim(
		struct bm_pair *pair, const char *migration, bool beside, struct bm_error *err)
{
	PGconn *source = pair->aside[BM_PAIR_SOURCE];
	int own = ask_yes(source, "SELECT pg_try_advisory_lock(" CLAIM ", hashtext($1))",
			migration, err);

	if (own > 0 && beside) {
		return ask_yes(source,
				"SELECT pg_try_advisory_lock(" CLAIM_BESIDE ", hashtext($1))",
				migration, err);
	}
	if (own == 0 && !beside &&
			ask_yes(source, LOCKED(CLAIM_BESIDE, "granted"), migration, err) > 0) {
		own = wait_for_claim(source, migration, err);
	}
	return own;
}

int bm_proofs_are_claimed(PGconn *source, const char *migration, struct bm_error *err)
{
	return ask_yes(source, LOCKED(CLAIM, "granted"), migration, err);
}

int bm_proofs_are_wanted(PGconn *source, const char *migration, struct bm_error *err)
{
	return ask_yes(source, LOCKED(CLAIM, "NOT granted"), migration, err);
}

int bm_proofs_open(struct bm_pair *pair, const char *migration, bool trusting,
		uint64_t max_age_msec, const struct bm_digest *digest,
		const struct bm_verify_table *table, struct bm_ranges *ranges,
		struct bm_proofs *out, struct bm_error *err)
{
	struct opening o = {.pair = pair, .migration = migration, .table = table};

	*ranges = (struct bm_ranges){0};
	*out = (struct bm_proofs){0};
	if (migration == NULL || table->pending[BM_PAIR_SOURCE] == NULL) {
		return bm_ranges_plan(pair, digest, table, ranges, err);
	}
	out->migration = migration;
	int rc = open_proofs(&o, trusting, max_age_msec, digest, ranges, out, err);
	free(o.definition);
	free(o.counters);
	return rc;
}

int bm_proofs_add(struct bm_pair *pair, const struct bm_proofs *proofs,
		const struct bm_verify_table *table, const char *buckets, const char *rows,
		const char *at, struct bm_error *err)
{
	const char *const params[] = {proofs->migration, table->name, buckets, rows, at};
	PGresult *added = bm_pair_ask_one(pair->aside[BM_PAIR_SOURCE], add_sql, 5, params, err);

	PQclear(added);
	return added != NULL ? 0 : bm_error_wrap(err, "source: writing down what is proven");
}

int bm_proofs_forget(struct bm_pair *pair, const struct bm_proofs *proofs,
		const struct bm_verify_table *table, unsigned first, unsigned last,
		struct bm_error *err)
{
	char ends[2][16];
	const char *const params[] = {proofs->migration, table->name, ends[0], ends[1]};

	snprintf(ends[0], sizeof(ends[0]), "%u", first);
	snprintf(ends[1], sizeof(ends[1]), "%u", last);
	PGresult *gone = bm_pair_ask_one(
			pair->aside[BM_PAIR_SOURCE], forget_range, 4, params, err);
	PQclear(gone);
	return gone != NULL ? 0 : bm_error_wrap(err, "source: forgetting what was proven");
}

int bm_proofs_complete(struct bm_pair *pair, const struct bm_proofs *proofs,
		const struct bm_verify_table *table, struct bm_error *err)
{
	struct opening o = {.pair = pair, .migration = proofs->migration, .table = table};

	return do_it(&o, BM_PAIR_SOURCE, complete_sql, NULL, err);
}

void bm_proofs_finish(struct bm_proofs *proofs)
{
	free(proofs->proven);
	*proofs = (struct bm_proofs){0};
}
