/* Owners on the live side first; on the other one what they do not explain. */
#include "worker/tables/strangers.h"

#include <jansson.h>
#include <stdlib.h>

/* clang-format off */
static const char owners_sql[] =
#include "worker/tables/sql/owners.sql.inc"
;

static const char strangers_sql[] =
#include "worker/tables/sql/strangers.sql.inc"
;
/* clang-format on */

json_t *bm_strangers(struct bm_phase *phase, enum bm_side live, const json_t *names,
		const json_t *captured, struct bm_error *err)
{
	enum bm_side other = live == BM_SIDE_SOURCE ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE;
	char *list = json_dumps(names, JSON_COMPACT),
	     *known = json_dumps(captured, JSON_COMPACT);
	PGresult *owners = bm_phase_ask(
			phase, live, owners_sql, 1, (const char *const *)&list, err);
	PGresult *found = NULL;

	if (owners != NULL) {
		const char *const params[] = {list, PQgetvalue(owners, 0, 0), known};
		found = bm_phase_ask(phase, other, strangers_sql, 3, params, err);
	}
	json_t *strangers = found != NULL ? json_loads(PQgetvalue(found, 0, 0), 0, NULL) : NULL;
	PQclear(owners);
	PQclear(found);
	free(list);
	free(known);
	return strangers;
}
