/* The functions of the fence; they live with the ledger, in schema bucardo_machine. */
#include "transfer/fence.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/fence.h"
#include "bucardo_machine/macros.h"

/* clang-format off */
static const char refuse_function[] =
#include "transfer/sql/refuse_write.sql.inc"
;

static const char hand_over_function[] =
#include "transfer/sql/hand_over.sql.inc"
;

static const char take_side_function[] =
#include "transfer/sql/take_side.sql.inc"
;

static const char raise_function[] =
#include "transfer/sql/raise_fence.sql.inc"
;

static const char lift_function[] =
#include "transfer/sql/lift_fence.sql.inc"
;

const char *const bm_fence_steps[] = {
	"CREATE TABLE IF NOT EXISTS bucardo_machine.fence (lifted timestamptz, lifted_by text,"
	" turn bigint NOT NULL DEFAULT 0)",
	/* How often the sides have changed places; one that an older machine made lacks it. */
	"DO $machine$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid ="
	" 'bucardo_machine.fence'::pg_catalog.regclass AND attname = 'turn') THEN"
	" ALTER TABLE bucardo_machine.fence ADD COLUMN turn bigint NOT NULL DEFAULT 0;"
	" END IF; END $machine$",
	"DO $$ BEGIN IF (SELECT relreplident = 'd' FROM pg_catalog.pg_class"
	" WHERE oid = 'bucardo_machine.fence'::pg_catalog.regclass) THEN"
	" ALTER TABLE bucardo_machine.fence REPLICA IDENTITY FULL; END IF; END $$",
	"INSERT INTO bucardo_machine.fence (lifted) SELECT NULL"
	" WHERE NOT EXISTS (SELECT 1 FROM bucardo_machine.fence)",
	"CREATE SEQUENCE IF NOT EXISTS bucardo_machine.handover_asked",
	"CREATE SEQUENCE IF NOT EXISTS bucardo_machine.handover_answered MINVALUE 0",
	refuse_function, hand_over_function, take_side_function, raise_function, lift_function,
};
const size_t bm_fence_step_count = BM_COUNT_OF(bm_fence_steps);
/* clang-format on */

int bm_fence_raise(struct bm_transfer *t, struct bm_error *err)
{
	for (size_t i = 0; i < bm_fence_step_count; i++) {
		if (bm_sql_do(t->control, bm_fence_steps[i], err) != 0) {
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
