/* The follower is asked once a check; a resend of what it names is requested before it forgets
 * it. */
#include "worker/tables/emptied.h"

#include <jansson.h>

#include "bucardo_machine/macros.h"
#include "worker/deltas/capture_triggers.h"
#include "worker/tables/resend.h"

/* clang-format off */
static const char emptied_function[] =
#include "worker/tables/sql/machine_emptied.sql.inc"
;

static const char *const prepare_steps[] = {
	BM_CAPTURE_UNLOGGED_SQL,
	"CREATE TABLE IF NOT EXISTS bucardo.machine_unlogged_seen (id boolean PRIMARY KEY DEFAULT true,"
	" stamp text NOT NULL)",
	emptied_function,
};
/* clang-format on */

static bool is_watched(const struct bm_pass *pass)
{
	return !pass->phase->request.is_both && bm_pass_applies(pass);
}

int bm_emptied_prepare(struct bm_pass *pass, struct bm_error *err)
{
	int rc = 0;

	/* Schema bucardo is there: bm_identity_prepare() makes it. Which side is live is not
	 * known yet. */
	for (size_t i = 0; rc == 0 && !pass->phase->request.is_both &&
			i < BM_COUNT_OF(prepare_steps);
			i++) {
		rc = bm_phase_do(pass->phase, BM_SIDE_DESTINATION, prepare_steps[i], 0, NULL,
				err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "preparing to see a crash of the destination");
}

static PGresult *ask(struct bm_pass *pass, const char *seen, struct bm_error *err)
{
	return bm_phase_ask(pass->phase, BM_SIDE_DESTINATION,
			"SELECT * FROM bucardo.machine_emptied($1::boolean)", 1, &seen, err);
}

int bm_emptied_request(struct bm_table_check *check, struct bm_error *err)
{
	struct bm_pass *pass = check->pass;
	PGresult *names = is_watched(pass) ? ask(pass, "false", err) : NULL;
	int rc = names != NULL || !is_watched(pass) ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(names); i++) {
		const char *name = PQgetvalue(names, i, 0);
		if (json_object_get(check->captured, name) != NULL) {
			rc = bm_resend_request(pass, name,
					"on the destination a crash emptied it: it is unlogged",
					err);
		}
	}
	if (rc == 0 && PQntuples(names) > 0) {
		PGresult *seen = ask(pass, "true", err);
		rc = seen != NULL ? 0 : -1;
		PQclear(seen);
	}
	PQclear(names);
	return rc;
}
