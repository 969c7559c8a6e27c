/* Statements; the files say what they give. */
#include "worker/deltas/delta_facts.h"

/* clang-format off */
const char bm_delta_sizes_sql[] =
#include "worker/deltas/sql/delta_sizes.sql.inc"
;
const char bm_failed_runs_sql[] =
#include "worker/deltas/sql/failed_runs.sql.inc"
;
const char bm_largest_tables_sql[] =
#include "worker/deltas/sql/largest_tables.sql.inc"
;
/* clang-format on */
