/*
 * What pg_restore, the copy and Bucardo cannot make or write with an empty search_path, and
 * views that nobody can make: found in the source's catalog, without calling anything.
 */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/paths.h"
#include "worker/schema/selected_tables.h"
#include "worker/preflight/preflight.h"
#include "worker/reconcile/table_paths.h"

/* clang-format off */
/* Of itself the rule of a view has OLD and NEW, or (PostgreSQL 16, CREATE VIEW) neither: any other
 * number of entries reads it. */
static const char views_sql[] =
"SELECT r.ev_class::regclass::text FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class"
" WHERE c.relkind = 'v' AND r.rulename = '_RETURN' AND c.oid <> ALL ($1::oid[]) AND c.oid >= 16384"
" AND (SELECT count(*) FROM regexp_matches(r.ev_action::text, ':rtekind 0 :relid ' || c.oid || '\\M', 'g'))"
"  NOT IN (0, 2) ORDER BY 1";
/* clang-format on */

struct looking {
	struct bm_phase *phase;
	bm_preflight_find *find;
	void *ctx;
	char *outside; /* relations that are left out */
	char *path;    /* the source's; "" for none */
	char *schemas; /* the same, as text[] */
	char *unsafe;  /* why it is not used on the destination; "" */
};

/* The path of the source, and whether it may be used on the destination, as phase copy asks. */
static int read_path(struct looking *looking, struct bm_error *err)
{
	const char *const params[] = {NULL, BM_PATHS_USUAL};
	PGresult *schemas = bm_phase_ask(
			looking->phase, BM_SIDE_SOURCE, bm_paths_source_sql, 2, params, err);
	const char *const names[] = {schemas != NULL ? PQgetvalue(schemas, 0, 0) : "{}", ""};
	PGresult *quoted = schemas == NULL
			? NULL
			: bm_phase_ask(looking->phase, BM_SIDE_SOURCE,
					  "SELECT string_agg(quote_ident(u), ', ')"
					  " FROM unnest($1::text[]) u",
					  1, names, err);
	PGresult *safe = quoted == NULL ? NULL
					: bm_phase_ask(looking->phase, BM_SIDE_DESTINATION,
							  bm_paths_safe_sql, 2, names, err);

	if (safe != NULL) {
		looking->path = bm_strdup(PQgetvalue(quoted, 0, 0));
		looking->schemas = bm_strdup(names[0]);
		looking->unsafe = PQgetvalue(safe, 0, 2)[0] == 't'
				? bm_format("on the destination %s", PQgetvalue(safe, 0, 1))
				: bm_strdup("");
	}
	PQclear(schemas);
	PQclear(quoted);
	PQclear(safe);
	return safe != NULL ? 0 : -1;
}

/* What comes of it: from PostgreSQL 17 on a build of an index has an empty path, whatever is
 * set. */
static const char *fate_of(const struct looking *looking, const char *unsafe, bool builds)
{
	bool pinned = PQserverVersion(looking->phase->conns[BM_SIDE_DESTINATION]) >= 170000;

	if (unsafe[0] != '\0') {
		return "the machine does not use the source's path there: ";
	}
	return builds && pinned
			? "from PostgreSQL 17 on indexes and materialised views are built "
			  "without any path: this may fail on the destination"
			: "the machine makes it, and writes its rows, with the source's path";
}

/* Why a run may not use the path at the source, where it reads the rows; "" if it may. New. */
static char *source_unsafe(struct looking *looking, const char *relation)
{
	const char *const params[] = {looking->schemas, relation};
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_phase_ask(
			looking->phase, BM_SIDE_SOURCE, bm_paths_safe_sql, 2, params, &ignored);
	bool unsafe = rows != NULL && PQgetvalue(rows, 0, 2)[0] == 't';
	char *why = unsafe ? bm_format("on the source %s", PQgetvalue(rows, 0, 1))
			   : bm_strdup("");

	PQclear(rows);
	return why;
}

static void find_function(struct looking *looking, const PGresult *rows, int row)
{
	const char *relation = PQgetvalue(rows, row, BM_CALLS_RELATION);
	bool each = PQgetvalue(rows, row, BM_CALLS_EACH_ROW)[0] == 't';
	bool extension = PQgetvalue(rows, row, BM_CALLS_OF_EXTENSION)[0] == 't';
	char *unsafe = looking->unsafe[0] != '\0' || !each ? bm_strdup(looking->unsafe)
							   : source_unsafe(looking, relation);
	const char *fate = fate_of(looking, unsafe, true);
	char *why = bm_format(
			"%s: it calls %s, which finds what stands in parentheses only through "
			"search_path, and that is empty for whoever restores or replicates; "
			"%s%s",
			PQgetvalue(rows, row, BM_CALLS_WHAT),
			PQgetvalue(rows, row, BM_CALLS_FUNCTIONS), fate, unsafe);
	char *hint = bm_format("%s%s", PQgetvalue(rows, row, BM_CALLS_HINTS),
			extension ? "; of an extension also on the destination, after CREATE "
				    "EXTENSION there: its functions do not come from the source"
				  : "");

	looking->find(looking->ctx, BM_SEVERITY_DEGRADES, relation, why, hint);
	free(unsafe);
	free(why);
	free(hint);
}

static int look_at_functions(struct looking *looking, struct bm_error *err)
{
	const char *const params[] = {looking->outside, looking->path};
	PGresult *rows = bm_phase_ask(
			looking->phase, BM_SIDE_SOURCE, bm_path_functions_sql, 2, params, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		find_function(looking, rows, row);
	}
	PQclear(rows);
	return rows != NULL ? 0 : bm_error_wrap(err, "reading which functions are called");
}

/* The same in two rows of the catalog is one thing. */
static bool is_sent(const PGresult *rows, int row)
{
	return row > 0 &&
			strcmp(PQgetvalue(rows, row, BM_PATHS_RELATION),
					PQgetvalue(rows, row - 1, BM_PATHS_RELATION)) == 0 &&
			strcmp(PQgetvalue(rows, row, BM_PATHS_WHAT),
					PQgetvalue(rows, row - 1, BM_PATHS_WHAT)) == 0;
}

static void find_operator(struct looking *looking, const PGresult *rows, int row)
{
	bool unsafe = looking->unsafe[0] != '\0';
	char *why = bm_format(
			"%s compares by operator %s in a way that cannot name a schema (IS "
			"DISTINCT FROM, NULLIF, CASE, JOIN USING): with an empty search_path "
			"that is another operator, or none; %s%s",
			PQgetvalue(rows, row, BM_PATHS_WHAT),
			PQgetvalue(rows, row, BM_PATHS_OPERATORS),
			fate_of(looking, looking->unsafe, false), looking->unsafe);

	looking->find(looking->ctx, unsafe ? BM_SEVERITY_DEGRADES : BM_SEVERITY_NOTE,
			PQgetvalue(rows, row, BM_PATHS_RELATION), why,
			"write the comparison on the source with OPERATOR(schema.=), which names it");
	free(why);
}

static int look_at_operators(struct looking *looking, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(looking->phase, BM_SIDE_SOURCE, bm_paths_operators_sql, 1,
			(const char *const *)&looking->outside, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		if (!is_sent(rows, row)) {
			find_operator(looking, rows, row);
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : bm_error_wrap(err, "reading what compares by which operator");
}

static int look_at_views(struct looking *looking, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(looking->phase, BM_SIDE_SOURCE, views_sql, 1,
			(const char *const *)&looking->outside, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		const char *view = PQgetvalue(rows, row, 0);
		char *hint = bm_format(
				"DROP VIEW %s; or leave it out (tables.exclude in machine.yaml)",
				view);
		looking->find(looking->ctx, BM_SEVERITY_DEGRADES, view,
				"the view reads itself: every query of it fails, it cannot be made, and "
				"is left out with what depends on it",
				hint);
		free(hint);
	}
	PQclear(rows);
	return rows != NULL ? 0 : bm_error_wrap(err, "reading which views read themselves");
}

int bm_preflight_paths(struct bm_phase *phase, bm_preflight_find *find, void *ctx,
		struct bm_error *err)
{
	struct looking looking = {.phase = phase, .find = find, .ctx = ctx};

	looking.outside = bm_selected_outside(phase, phase->catalog, err);
	int rc = looking.outside != NULL && read_path(&looking, err) == 0 &&
					look_at_functions(&looking, err) == 0 &&
					look_at_operators(&looking, err) == 0 &&
					look_at_views(&looking, err) == 0
			? 0
			: -1;
	free(looking.outside);
	free(looking.path);
	free(looking.schemas);
	free(looking.unsafe);
	return rc;
}
