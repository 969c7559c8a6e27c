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
