/* The functions of the fence; they live with the ledger, in schema bucardo_machine. */
#include "worker/schema/fence.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/fence.h"
#include "bucardo_machine/macros.h"

/* clang-format off */
static const char refuse_function[] =
#include "worker/schema/sql/refuse_write.sql.inc"
;

static const char obstacle_function[] =
#include "worker/schema/sql/turn_obstacle.sql.inc"
;

static const char notice_function[] =
#include "worker/schema/sql/turn_notice.sql.inc"
;

static const char hand_over_function[] =
#include "worker/schema/sql/hand_over.sql.inc"
;

static const char take_side_function[] =
#include "worker/schema/sql/take_side.sql.inc"
;

static const char change_function[] =
#include "worker/schema/sql/change_sides.sql.inc"
;

static const char raise_function[] =
#include "worker/schema/sql/raise_fence.sql.inc"
;

static const char lift_function[] =
#include "worker/schema/sql/lift_fence.sql.inc"
;

static const char raise_short_function[] =
#include "worker/schema/sql/raise_fence_short.sql.inc"
;

static const char lift_short_function[] =
#include "worker/schema/sql/lift_fence_short.sql.inc"
;

static const char older_fence[] =
#include "worker/schema/sql/fence_columns.sql.inc"
;

static const char identity_sql[] =
#include "worker/schema/sql/fence_identity.sql.inc"
;

const char *const bm_fence_steps[] = {
	"CREATE TABLE IF NOT EXISTS bucardo_machine.fence (lifted timestamptz, lifted_by text,"
	" turn bigint NOT NULL DEFAULT 0, forced text)",
	older_fence,
	identity_sql,
	"INSERT INTO bucardo_machine.fence (lifted) SELECT NULL"
	" WHERE NOT EXISTS (SELECT 1 FROM bucardo_machine.fence)",
	"CREATE SEQUENCE IF NOT EXISTS bucardo_machine.handover_asked",
	"CREATE SEQUENCE IF NOT EXISTS bucardo_machine.handover_answered MINVALUE 0",
	/* Of each migration with this destination: whether its changes go back, and what its worker said
	 * when it was asked last: in which turn, to which number, which tables of the source have changes,
	 * which sequences it could not set. */
	"CREATE TABLE IF NOT EXISTS bucardo_machine.handover (migration text PRIMARY KEY,"
	" is_both boolean NOT NULL, turn bigint, number bigint, waits text, sequences text)",
	refuse_function, obstacle_function, notice_function, hand_over_function, take_side_function, change_function,
	raise_function, lift_function, raise_short_function, lift_short_function,
	"DROP FUNCTION IF EXISTS bucardo_machine.hand_over()", /* an older machine's */
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
