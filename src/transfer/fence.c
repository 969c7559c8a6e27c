/* The functions of the fence; they live with the ledger, in schema bucardo_machine. */
#include "transfer/fence.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"

/* clang-format off */
static const char refuse_function[] =
#include "transfer/sql/refuse_write.sql.inc"
;

static const char raise_function[] =
#include "transfer/sql/raise_fence.sql.inc"
;

static const char lift_function[] =
#include "transfer/sql/lift_fence.sql.inc"
;

static const char *const steps[] = {
	"CREATE TABLE IF NOT EXISTS bucardo_machine.fence (lifted timestamptz, lifted_by text)",
	"DO $$ BEGIN IF (SELECT relreplident = 'd' FROM pg_catalog.pg_class"
	" WHERE oid = 'bucardo_machine.fence'::regclass) THEN"
	" ALTER TABLE bucardo_machine.fence REPLICA IDENTITY FULL; END IF; END $$",
	"INSERT INTO bucardo_machine.fence SELECT NULL, NULL"
	" WHERE NOT EXISTS (SELECT 1 FROM bucardo_machine.fence)",
	refuse_function, raise_function, lift_function,
};
/* clang-format on */

int bm_fence_raise(struct bm_transfer *t, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(steps); i++) {
		if (bm_sql_do(t->control, steps[i], err) != 0) {
			return bm_error_wrap(err, "preparing the fence on the destination");
		}
	}
	char *answer = bm_sql_value(t->control, "SELECT bucardo_machine.raise_fence()", err);
	if (answer == NULL) {
		return bm_error_wrap(err, "raising the fence on the destination");
	}
	if (strstr(answer, "not behind it") != NULL) {
		bm_transfer_note(t, "%s", answer);
	}
	free(answer);
	return 0;
}
