/* declared - the syncs of declared migrations, and which of them may run. */
#include <stdlib.h>
#include <string.h>

#include "bucardo/internal.h"
#include "bucardo_machine/alloc.h"

void declared_finish(struct bm_bucardo *bucardo)
{
	struct declared *declared = &bucardo->declared;

	for (size_t i = 0; i < declared->count; i++) {
		free(declared->syncs[i].name);
	}
	free(declared->syncs);
	*declared = (struct declared){0};
}

void bm_bucardo_declare(
		struct bm_bucardo *bucardo, const struct bm_declared_sync *syncs, size_t count)
{
	struct declared *declared = &bucardo->declared;

	declared_finish(bucardo);
	declared->syncs = bm_alloc((count + 1) * sizeof(*declared->syncs));
	declared->count = count;
	for (size_t i = 0; i < count; i++) {
		declared->syncs[i].name = bm_strdup(syncs[i].name);
		declared->syncs[i].released = syncs[i].released;
	}
}

const struct declared_sync *declared_find(const struct bm_bucardo *bucardo, const char *sync)
{
	for (size_t i = 0; i < bucardo->declared.count; i++) {
		if (strcmp(bucardo->declared.syncs[i].name, sync) == 0) {
			return &bucardo->declared.syncs[i];
		}
	}
	return NULL;
}
