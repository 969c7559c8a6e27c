/* What is active, its sums, and parts made of them. */
#include "worker/transfer/activity.h"

#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"

/* The last bit of one is its commit. */
#define NEARLY 0.99

#define STILL_MSEC 5000

/* When all is sent a commit is left, and triggers that fire for the rows. */
#define ALL_SENT 0.98

void bm_activity_init(struct bm_activity *activity)
{
	pthread_mutex_init(&activity->mutex, NULL);
}

void bm_activity_finish(struct bm_activity *activity)
{
	pthread_mutex_destroy(&activity->mutex);
}

struct bm_active *bm_active_begin(struct bm_activity *activity, const struct bm_active *like)
{
	struct bm_active *active = &activity->spare;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_ACTIVITY_SLOTS && active == &activity->spare; i++) {
		if (!activity->list[i].used) {
			active = &activity->list[i];
		}
	}
	if (active != &activity->spare) {
		bm_text_copy(active->name, sizeof(active->name), like->name);
		active->weight = like->weight;
		active->done = like->done;
		active->total = like->total;
		active->ratio = like->ratio > 0 ? like->ratio : 1;
		active->rows_expected = like->rows_expected;
		active->backend = like->backend;
		active->kind = like->kind;
		active->step[0] = '\0';
		active->begun_msec = bm_clock_msec();
		active->seen = 0;
		active->seen_msec = active->begun_msec;
		atomic_store(&active->moved, 0);
		atomic_store(&active->rows, 0);
		active->used = true;
	}
	pthread_mutex_unlock(&activity->mutex);
	return active;
}

uint64_t bm_active_end(struct bm_activity *activity, struct bm_active *active, bool committed)
{
	pthread_mutex_lock(&activity->mutex);
	active->used = false;
	for (size_t i = 0; committed && i < BM_ACTIVITY_SLOTS; i++) {
		struct bm_active *other = &activity->list[i];
		if (other->used && strcmp(other->name, active->name) == 0) {
			other->done += active->weight;
		}
	}
	uint64_t moved = active->backend == 0 ? atomic_exchange(&active->moved, 0) : 0;
	pthread_mutex_unlock(&activity->mutex);
	return moved;
}

bool bm_activity_kind(struct bm_activity *activity, int backend, int *kind)
{
	bool found = false;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_ACTIVITY_SLOTS && !found; i++) {
		found = activity->list[i].used && activity->list[i].backend == backend;
		*kind = found ? activity->list[i].kind : -1;
	}
	pthread_mutex_unlock(&activity->mutex);
	return found;
}

void bm_activity_report(
		struct bm_activity *activity, int backend, double part, const char *step)
{
	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_ACTIVITY_SLOTS; i++) {
		struct bm_active *active = &activity->list[i];
		if (active->used && active->backend == backend) {
			uint64_t moved = (uint64_t)(part * (double)active->weight);
			bm_text_copy(active->step, sizeof(active->step), step);
			if (moved > atomic_load(&active->moved)) {
				atomic_store(&active->moved, moved);
			}
		}
	}
	pthread_mutex_unlock(&activity->mutex);
}

/* Rows say more than bytes: what is compressed in the table goes over as it was written. */
static uint64_t weight_moved(const struct bm_active *active)
{
	double weight = (double)atomic_load(&active->moved) / active->ratio;
	double most = (double)active->weight * NEARLY;

	if (active->rows_expected > 0) {
		weight = (double)active->weight * (double)atomic_load(&active->rows) /
				(double)active->rows_expected;
	}

	return (uint64_t)(weight < most ? weight : most);
}

double bm_active_part(const struct bm_active *active)
{
	return active->weight > 0 ? (double)weight_moved(active) / (double)active->weight : 0;
}

static bool stands_still(struct bm_active *active, uint64_t now)
{
	uint64_t moved = atomic_load(&active->moved);

	if (moved != active->seen) {
		active->seen = moved;
		active->seen_msec = now;
	}
	return active->backend == 0 && now - active->seen_msec > STILL_MSEC &&
			bm_active_part(active) < ALL_SENT;
}

bool bm_activity_stand_still(struct bm_activity *activity)
{
	uint64_t now = bm_clock_msec();
	bool still = false;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_ACTIVITY_SLOTS; i++) {
		struct bm_active *active = &activity->list[i];
		still = (active->used && stands_still(active, now)) || still;
	}
	pthread_mutex_unlock(&activity->mutex);
	return still;
}

struct bm_flown bm_activity_sum(struct bm_activity *activity)
{
	struct bm_flown sum = {0};

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_ACTIVITY_SLOTS; i++) {
		const struct bm_active *active = &activity->list[i];
		if (active->used) {
			sum.weight += weight_moved(active);
			sum.bytes += active->backend == 0 ? atomic_load(&active->moved) : 0;
		}
	}
	pthread_mutex_unlock(&activity->mutex);
	return sum;
}

static void add_to_part(const struct bm_active *active, struct bm_transfer_part *part)
{
	uint64_t age = bm_clock_msec() - active->begun_msec;

	if (part->total == 0) {
		bm_text_copy(part->name, sizeof(part->name), active->name);
		bm_text_copy(part->step, sizeof(part->step), active->step);
		part->done = active->done;
		part->total = active->total > 0 ? active->total : 1;
	}
	part->done += weight_moved(active);
	part->done = part->done < part->total ? part->done : part->total;
	part->age_msec = age > part->age_msec ? age : part->age_msec;
}

static struct bm_transfer_part *find_part(
		struct bm_transfer_part *parts, size_t *count, size_t room, const char *name)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(parts[i].name, name) == 0) {
			return &parts[i];
		}
	}
	if (*count == room) {
		return NULL;
	}
	parts[*count] = (struct bm_transfer_part){.name = ""};
	return &parts[(*count)++];
}

size_t bm_activity_view(struct bm_activity *activity, struct bm_transfer_part *out, size_t room)
{
	size_t count = 0;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_ACTIVITY_SLOTS; i++) {
		const struct bm_active *active = &activity->list[i];
		struct bm_transfer_part *part = active->used
				? find_part(out, &count, room, active->name)
				: NULL;
		if (part != NULL) {
			add_to_part(active, part);
		}
	}
	pthread_mutex_unlock(&activity->mutex);
	return count;
}
