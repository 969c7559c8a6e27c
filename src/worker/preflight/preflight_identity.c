/* Before anything is touched: whether somebody else has that name on one of the sides. */
#include <jansson.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/live/identity.h"
#include "worker/live/identity_hints.h"
#include "worker/preflight/preflight.h"

static const enum bm_side sides[] = {BM_SIDE_SOURCE, BM_SIDE_DESTINATION};

/* The list never has targets of ours (machine_keep.sql): it is another Bucardo's. */
static void find_namesake(struct bm_phase *phase, bm_preflight_find *find, void *ctx)
{
	struct bm_error ignored = BM_ERROR_INIT;
	const char *const name[] = {phase->request.name};
	PGresult *there = bm_phase_ask(phase, BM_SIDE_SOURCE,
			"SELECT to_regclass('bucardo.bucardo_delta_targets') IS NOT NULL", 0,
			NULL, &ignored);
	PGresult *rows = there != NULL && PQgetvalue(there, 0, 0)[0] == 't'
			? bm_phase_ask(phase, BM_SIDE_SOURCE,
					  "SELECT 1 FROM bucardo.bucardo_delta_targets t"
					  " WHERE t.target = 'dbgroup ' || $1 || '_dbs' LIMIT 1",
					  1, name, &ignored)
			: NULL;

	if (rows != NULL && PQntuples(rows) > 0) {
		char *why = bm_format(
				"a sync that was made by hand uses a dbgroup %s_dbs on the "
				"source: each would take what the other has applied for its own",
				phase->request.name);
		find(ctx, BM_SEVERITY_STOPS, "dbgroup", why,
				"give the migration another name in machine.yaml; or, when that sync is "
				"gone for good, on the source: DELETE FROM bucardo.bucardo_delta_targets");
		free(why);
	}
	PQclear(there);
	PQclear(rows);
}

void bm_preflight_identity(struct bm_phase *phase, bm_preflight_find *find, void *ctx)
{
	struct bm_error ignored = BM_ERROR_INIT;
	char *owner = bm_identity_owner(phase, &ignored);
	char hint[600];

	find_namesake(phase, find, ctx);
	for (size_t i = 0; owner != NULL && i < BM_COUNT_OF(sides); i++) {
		struct bm_strbuf why = BM_STRBUF_INIT;
		json_t *state = NULL;
		if (bm_identity_read(phase, sides[i], &state, &ignored) == 0 &&
				bm_identity_is_foreign(state, owner)) {
			bm_identity_report_foreign(state, bm_side_name(sides[i]), &why);
			bm_identity_hint_foreign(
					state, phase->request.name, hint, sizeof(hint));
			find(ctx, BM_SEVERITY_STOPS, "owner", bm_strbuf_text(&why), hint);
		}
		json_decref(state);
		bm_strbuf_finish(&why);
	}
	free(owner);
}
