/* Of pg_dump's statement only the end is looked at. */
#include "worker/schema/foreign.h"

#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/transfer/moments.h"

/* foreign_key_violation */
#define VIOLATION "23503"

char *bm_foreign_unchecked(const struct bm_transfer *t, const struct bm_post_object *object,
		const struct bm_error *why)
{
	size_t length = strlen(object->sql);

	if (!t->options.captured || object->stage != BM_STAGE_FOREIGN ||
			strcmp(why->sqlstate, VIOLATION) != 0 || bm_moments_agree(t)) {
		return NULL;
	}
	while (length > 0 && strchr("; \n", object->sql[length - 1]) != NULL) {
		length--;
	}
	return bm_format("%.*s NOT VALID", (int)length, object->sql);
}
