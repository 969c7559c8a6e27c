/* Of pg_dump's statement only the end is looked at. */
#include "worker/schema/foreign.h"

#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/transfer/moments.h"

/* foreign_key_violation */
#define VIOLATION "23503"

char *bm_foreign_unchecked(const struct bm_transfer *t, const struct bm_work *work,
		const struct bm_error *why)
{
	size_t length = strlen(work->sql);

	if (!t->options.captured || work->stage != BM_STAGE_FOREIGN ||
			strcmp(why->sqlstate, VIOLATION) != 0 || bm_moments_agree(t)) {
		return NULL;
	}
	while (length > 0 && strchr("; \n", work->sql[length - 1]) != NULL) {
		length--;
	}
	return bm_format("%.*s NOT VALID", (int)length, work->sql);
}
