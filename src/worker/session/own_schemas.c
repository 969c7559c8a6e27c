/* The text of it. */
#include "worker/session/own_schemas.h"

/* clang-format off */
const char bm_own_schemas_sql[] =
#include "worker/session/sql/own_schemas.sql.inc"
;
/* clang-format on */
