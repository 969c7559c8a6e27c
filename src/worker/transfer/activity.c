/* Flights, their sums, and parts made of them. */
#include "worker/transfer/activity.h"

#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"

/* The last bit of a flight is its commit. */
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
	struct bm_active *flight = &activity->spare;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_FLIGHTS && flight == &activity->spare; i++) {
		if (!activity->list[i].used) {
			flight = &activity->list[i];
		}
	}
	if (flight != &activity->spare) {
		bm_text_copy(flight->name, sizeof(flight->name), like->name);
		flight->weight = like->weight;
		flight->done = like->done;
		flight->total = like->total;
		flight->ratio = like->ratio > 0 ? like->ratio : 1;
		flight->rows_expected = like->rows_expected;
		flight->backend = like->backend;
		flight->kind = like->kind;
		flight->step[0] = '\0';
		flight->begun_msec = bm_clock_msec();
		flight->seen = 0;
		flight->seen_msec = flight->begun_msec;
		atomic_store(&flight->moved, 0);
		atomic_store(&flight->rows, 0);
		flight->used = true;
	}
	pthread_mutex_unlock(&activity->mutex);
	return flight;
}

uint64_t bm_active_end(struct bm_activity *activity, struct bm_active *flight, bool landed)
{
	pthread_mutex_lock(&activity->mutex);
	flight->used = false;
	for (size_t i = 0; landed && i < BM_FLIGHTS; i++) {
		struct bm_active *other = &activity->list[i];
		if (other->used && strcmp(other->name, flight->name) == 0) {
			other->done += flight->weight;
		}
	}
	uint64_t moved = flight->backend == 0 ? atomic_exchange(&flight->moved, 0) : 0;
	pthread_mutex_unlock(&activity->mutex);
	return moved;
}

bool bm_activity_kind(struct bm_activity *activity, int backend, int *kind)
{
	bool found = false;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_FLIGHTS && !found; i++) {
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
	for (size_t i = 0; i < BM_FLIGHTS; i++) {
		struct bm_active *flight = &activity->list[i];
		if (flight->used && flight->backend == backend) {
			uint64_t moved = (uint64_t)(part * (double)flight->weight);
			bm_text_copy(flight->step, sizeof(flight->step), step);
			if (moved > atomic_load(&flight->moved)) {
				atomic_store(&flight->moved, moved);
			}
		}
	}
	pthread_mutex_unlock(&activity->mutex);
}

/* Rows say more than bytes: what is compressed in the table goes over as it was written. */
static uint64_t flown(const struct bm_active *flight)
{
	double weight = (double)atomic_load(&flight->moved) / flight->ratio;
	double most = (double)flight->weight * NEARLY;

	if (flight->rows_expected > 0) {
		weight = (double)flight->weight * (double)atomic_load(&flight->rows) /
				(double)flight->rows_expected;
	}

	return (uint64_t)(weight < most ? weight : most);
}

double bm_active_part(const struct bm_active *flight)
{
	return flight->weight > 0 ? (double)flown(flight) / (double)flight->weight : 0;
}

static bool stands_still(struct bm_active *flight, uint64_t now)
{
	uint64_t moved = atomic_load(&flight->moved);

	if (moved != flight->seen) {
		flight->seen = moved;
		flight->seen_msec = now;
	}
	return flight->backend == 0 && now - flight->seen_msec > STILL_MSEC &&
			bm_active_part(flight) < ALL_SENT;
}

bool bm_activity_stand_still(struct bm_activity *activity)
{
	uint64_t now = bm_clock_msec();
	bool still = false;

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_FLIGHTS; i++) {
		struct bm_active *flight = &activity->list[i];
		still = (flight->used && stands_still(flight, now)) || still;
	}
	pthread_mutex_unlock(&activity->mutex);
	return still;
}

struct bm_flown bm_activity_sum(struct bm_activity *activity)
{
	struct bm_flown sum = {0};

	pthread_mutex_lock(&activity->mutex);
	for (size_t i = 0; i < BM_FLIGHTS; i++) {
		const struct bm_active *flight = &activity->list[i];
		if (flight->used) {
			sum.weight += flown(flight);
			sum.bytes += flight->backend == 0 ? atomic_load(&flight->moved) : 0;
		}
	}
	pthread_mutex_unlock(&activity->mutex);
	return sum;
}

static void add_to_part(const struct bm_active *flight, struct bm_transfer_part *part)
{
	uint64_t age = bm_clock_msec() - flight->begun_msec;

	if (part->total == 0) {
		bm_text_copy(part->name, sizeof(part->name), flight->name);
		bm_text_copy(part->step, sizeof(part->step), flight->step);
		part->done = flight->done;
		part->total = flight->total > 0 ? flight->total : 1;
	}
	part->done += flown(flight);
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
	for (size_t i = 0; i < BM_FLIGHTS; i++) {
		const struct bm_active *flight = &activity->list[i];
		struct bm_transfer_part *part = flight->used
				? find_part(out, &count, room, flight->name)
				: NULL;
		if (part != NULL) {
			add_to_part(flight, part);
		}
	}
	pthread_mutex_unlock(&activity->mutex);
	return count;
}
