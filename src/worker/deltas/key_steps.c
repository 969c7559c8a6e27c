/* Functions that follow the key of a table, and the statements that make them. */
#include "worker/deltas/key_steps.h"

#include "bucardo_machine/macros.h"

/* clang-format off */
static const char type_function[] =
#include "worker/deltas/sql/machine_key_type.sql.inc"
;
static const char of_function[] =
#include "worker/deltas/sql/machine_key_of.sql.inc"
;
static const char look_function[] =
#include "worker/deltas/sql/machine_key_look.sql.inc"
;
static const char know_function[] =
#include "worker/deltas/sql/machine_know.sql.inc"
;
static const char columns_function[] =
#include "worker/deltas/sql/machine_delta_columns.sql.inc"
;
static const char wishes_function[] =
#include "worker/deltas/sql/machine_delta_wishes.sql.inc"
;
static const char change_function[] =
#include "worker/deltas/sql/machine_delta_change.sql.inc"
;
static const char rekey_function[] =
#include "worker/deltas/sql/machine_delta_rekey.sql.inc"
;
static const char remake_function[] =
#include "worker/deltas/sql/machine_remake.sql.inc"
;
static const char rename_function[] =
#include "worker/deltas/sql/machine_rename_table.sql.inc"
;
static const char key_function[] =
#include "worker/deltas/sql/machine_follow_key.sql.inc"
;
static const char follow_function[] =
#include "worker/deltas/sql/machine_follow.sql.inc"
;

static const char enums_sql[] =
#include "worker/deltas/sql/keys_with_enums.sql.inc"
;

const char *const bm_keys_steps[] = {
	/* name: as in bucardo_delta_names; goat: as Bucardo's control database has it;
	 * columns: of the table, those of the delta table; seen: what they were then;
	 * mark: of the catalog, when there was nothing to follow. */
	"CREATE TABLE IF NOT EXISTS bucardo.machine_keys (name text PRIMARY KEY, goat text NOT NULL,"
	" relation oid NOT NULL, columns int2[] NOT NULL, seen text, mark text)",
	/* types: of the key's columns, then. */
	"ALTER TABLE bucardo.machine_keys ADD COLUMN IF NOT EXISTS types oid[]",
	/* An older machine's had as many parameters, but another result. */
	"DROP FUNCTION IF EXISTS bucardo.machine_follow_key(text, text)",
	type_function, of_function, look_function, know_function, columns_function, wishes_function,
	change_function, rekey_function, remake_function, rename_function, key_function,
	follow_function,
	/* Enums in delta tables, as an older machine made them: looked at again. */
	enums_sql,
};
const size_t bm_keys_step_count = BM_COUNT_OF(bm_keys_steps);
/* clang-format on */
