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

const struct declared_sync *declared_find(const struct bm_bucardo *bucardo, const char *sync)
{
	for (size_t i = 0; i < bucardo->declared.count; i++) {
		if (strcmp(bucardo->declared.syncs[i].name, sync) == 0) {
			return &bucardo->declared.syncs[i];
		}
	}
	return NULL;
}

/* What a pause has deactivated is activated when that ends; what is paused is deactivated
 * whenever it is found active (judge.c). */
static void end_pause(struct bm_bucardo *bucardo, const struct bm_declared_sync *now)
{
	const struct declared_sync *before = declared_find(bucardo, now->name);
	struct judged_sync *sync = judge_find(bucardo, now->name);

	if (before != NULL && before->paused && !now->paused && now->released && sync != NULL) {
		wish_set(sync, 1);
	}
}

void bm_bucardo_declare(
		struct bm_bucardo *bucardo, const struct bm_declared_sync *syncs, size_t count)
{
	struct declared *declared = &bucardo->declared;

	for (size_t i = 0; i < count; i++) {
		end_pause(bucardo, &syncs[i]);
	}
	declared_finish(bucardo);
	declared->syncs = bm_alloc((count + 1) * sizeof(*declared->syncs));
	declared->count = count;
	for (size_t i = 0; i < count; i++) {
		declared->syncs[i].name = bm_strdup(syncs[i].name);
		declared->syncs[i].released = syncs[i].released;
		declared->syncs[i].paused = syncs[i].paused;
	}
}
