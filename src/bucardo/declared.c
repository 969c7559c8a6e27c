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

struct declared_sync *declared_find(const struct bm_bucardo *bucardo, const char *sync)
{
	for (size_t i = 0; i < bucardo->declared.count; i++) {
		if (strcmp(bucardo->declared.syncs[i].name, sync) == 0) {
			return &bucardo->declared.syncs[i];
		}
	}
	return NULL;
}

/* What a pause has deactivated is activated when that ends, and that waits until the sync was
 * seen; what is paused is deactivated whenever it is found active (judge.c). */
static bool is_resumed(const struct bm_bucardo *bucardo, const struct bm_declared_sync *now)
{
	const struct declared_sync *before = declared_find(bucardo, now->name);

	return before != NULL && (before->paused || before->resumed) && !now->paused &&
			now->released;
}

void bm_bucardo_declare(
		struct bm_bucardo *bucardo, const struct bm_declared_sync *syncs, size_t count)
{
	struct declared *declared = &bucardo->declared;

	struct declared_sync *made = bm_alloc((count + 1) * sizeof(*made));
	for (size_t i = 0; i < count; i++) {
		made[i] = (struct declared_sync){.name = bm_strdup(syncs[i].name),
				.released = syncs[i].released,
				.paused = syncs[i].paused,
				.resumed = is_resumed(bucardo, &syncs[i])};
	}
	declared_finish(bucardo);
	declared->syncs = made;
	declared->count = count;
}
