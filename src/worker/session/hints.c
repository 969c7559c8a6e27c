/* SQLSTATEs, and what to do about them. */
#include "bucardo_machine/hints.h"

#include <string.h>

#include "bucardo_machine/macros.h"

bool bm_sql_is_full(const struct bm_error *err)
{
	return strcmp(err->sqlstate, BM_SQLSTATE_DISK_FULL) == 0;
}

/* Something is missing, and the server says that a function looked for it. */
static bool is_missed_by_function(const struct bm_error *err)
{
	static const char *const missing[] = {"42P01", "42883", "42704", "3F000"};

	for (size_t i = 0; i < BM_COUNT_OF(missing); i++) {
		if (strcmp(err->sqlstate, missing[i]) == 0) {
			return strstr(err->message, "SQL function ") != NULL;
		}
	}
	return false;
}

const char *bm_hint_of(const struct bm_error *err)
{
	if (bm_sql_is_full(err)) {
		return "make room on the full disk: what is done stays done, and it goes on with "
		       "what is missing";
	}
	return is_missed_by_function(err)
			? "the function that the error names finds something only through "
			  "search_path, which is pg_catalog while rows are copied: qualify its "
			  "names, or ALTER FUNCTION ... SET search_path = ... on both sides"
			: "";
}

/* What a server refused: most of it does not go away by itself. */
static enum bm_failure failure_of_sqlstate(const char *sqlstate)
{
	static const char *const passing[] = {
			"08",	 /* connection */
			"25006", /* a read-only server: a failover is under way */
			"40",	 /* rolled back: serialisation, deadlock */
			"53",	 /* out of resources */
			"55006", /* in use */
			"55P03", /* lock not available */
			"57",	 /* operator intervention, cancelled */
			"58",	 /* system error */
	};

	if (strcmp(sqlstate, BM_SQLSTATE_DISK_FULL) == 0) {
		return BM_FAILURE_OPERATOR; /* a full disk: of the resources the one that a
					     * person gives
					     */
	}
	for (size_t i = 0; i < BM_COUNT_OF(passing); i++) {
		if (strncmp(sqlstate, passing[i], strlen(passing[i])) == 0) {
			return BM_FAILURE_TRANSIENT;
		}
	}
	return BM_FAILURE_OPERATOR;
}

/*
 * Two sessions that made or changed the same thing of ours at a time, as two migrations of one
 * source do: of all "internal errors" of a server the one that is none; a key of a catalog that
 * is taken; and the type of a table, which IF NOT EXISTS does not look for. Bucardo's functions
 * in Perl pass on what another server told them as 38000, whatever it was.
 */
static bool is_catalog_race(const struct bm_error *err)
{
	static const struct {
		const char *sqlstate, *words;
	} races[] = {
			{"XX000", "tuple concurrently "},
			{"23505", "unique constraint \"pg_"},
			{"42710", " type \"delta_"},
			{"42710", " type \"track_"},
			{"42710", " type \"stage_"},
			{"42710", " type \"machine_"},
			{"42710", " type \"bucardo_"},
			{"38000", "tuple concurrently "},
			{"38000", "unique constraint \"pg_"},
			{"38000", "deadlock detected"},
			{"38000", "due to lock timeout"},
			{"38000", "DBI connect("},
	};

	for (size_t i = 0; i < BM_COUNT_OF(races); i++) {
		if (strcmp(err->sqlstate, races[i].sqlstate) == 0 &&
				strstr(err->message, races[i].words) != NULL) {
			return true;
		}
	}
	return false;
}

enum bm_failure bm_failure_of(const struct bm_error *err)
{
	switch (err->code) {
	case BM_ERR_SQL:
		return is_catalog_race(err) ? BM_FAILURE_TRANSIENT
					    : failure_of_sqlstate(err->sqlstate);
	case BM_ERR_CONFIG:
	case BM_ERR_PRECONDITION:
		return BM_FAILURE_OPERATOR;
	case BM_ERR_INTERNAL:
		return BM_FAILURE_INTERNAL;
	default:
		return BM_FAILURE_TRANSIENT;
	}
}
