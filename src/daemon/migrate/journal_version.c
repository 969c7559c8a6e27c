/* The version of the journal: read before anything is written, and written with the program's.
 */
#include "daemon/migrate/journal_version.h"

#include <stdlib.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"

#define TEXT_OF(number) #number
#define NUMBER(constant) TEXT_OF(constant)

/* clang-format off */
const char bm_journal_version_sql[] =
#include "daemon/migrate/sql/journal_version.sql.inc"
;
/* clang-format on */

const char bm_journal_version_write_sql[] = "UPDATE machine.version SET version = " NUMBER(
		BM_JOURNAL_VERSION) ","
				    " program = '" BM_VERSION "' WHERE version <> " NUMBER(
						    BM_JOURNAL_VERSION) " OR program IS DISTINCT FROM '" BM_VERSION
									"'";

int bm_journal_take_version(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	const char *version = result->row_count > 0 ? bm_result_get(result, 0, 0) : NULL;
	const char *program = result->row_count > 0 ? bm_result_get(result, 0, 1) : NULL;

	(void)ctx;
	if (version == NULL || atoi(version) <= BM_JOURNAL_VERSION) {
		return 0;
	}
	return bm_error_set(err, BM_ERR_NEWER,
			"the journal in its control database (schema machine) has version %s, which "
			"bucardo-machine %s wrote; this is bucardo-machine " BM_VERSION
			", which knows versions up to " NUMBER(BM_JOURNAL_VERSION),
			version, program != NULL ? program : "of a later version");
}

const struct bm_step *bm_journal_check(size_t *count)
{
	static const struct bm_step steps[] = {
			{.name = "this volume is left as it is",
					.sql = bm_journal_version_sql,
					.on_result = bm_journal_take_version},
	};

	*count = BM_COUNT_OF(steps);
	return steps;
}
