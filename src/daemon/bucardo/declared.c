/* declared - the syncs of declared migrations, and which of them may run. */
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

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
 * seen; what is paused is deactivated whenever it is found active (evaluate_syncs.c). */
static bool is_resumed(const struct bm_bucardo *bucardo, const struct bm_declared_sync *now)
{
	const struct declared_sync *before = declared_find(bucardo, now->name);

	return now->resuming && (before == NULL || !before->resuming || before->resumed);
}

bool bm_bucardo_is_resuming(const struct bm_bucardo *bucardo, const char *sync)
{
	const struct declared_sync *declared = declared_find(bucardo, sync);

	if (declared == NULL || !declared->resuming) {
		return true; /* not told yet */
	}
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		const struct evaluated_sync *evaluated = &bucardo->evaluation.syncs[i];
		if (strcmp(evaluated->name, sync) == 0) {
			return declared->resumed || evaluated->resuming;
		}
	}
	return false;
}

/* At once, not only when the sync is looked at next. */
static void deactivate_paused(struct bm_bucardo *bucardo)
{
	for (size_t i = 0; i < bucardo->declared.count; i++) {
		struct evaluated_sync *sync = evaluate_find(
				bucardo, bucardo->declared.syncs[i].name);
		if (bucardo->declared.syncs[i].paused && sync != NULL && sync->active) {
			if (sync->wish >= 0) {
				wish_set(sync, -1);
			}
			if (bucardo->daemon.ready_msec != 0) {
				wish_check(bucardo, sync, bm_clock_msec());
			}
		}
	}
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
				.resuming = syncs[i].resuming,
				.changing = syncs[i].changing,
				.resumed = is_resumed(bucardo, &syncs[i])};
	}
	declared_finish(bucardo);
	declared->syncs = made;
	declared->count = count;
	deactivate_paused(bucardo);
}
