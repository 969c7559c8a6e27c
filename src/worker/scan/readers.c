#include "worker/scan/readers.h"

#include <pthread.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/scan/batch.h"

/* Buckets of one moment: as many as take some seconds. */
#define BUCKETS_AT_FIRST 64u
#define BATCH_LONG_MSEC 8000
#define BATCH_SPAN 4

/* A table by hashes is read at once, up to this size: that takes minutes. */
#define BYTES_AT_ONCE ((uint64_t)16 << 30)

/* Another reader is worth its snapshots for so many buckets. */
#define BUCKETS_OF_A_READER 8u

struct span {
	unsigned first, last; /* buckets, to before `last` */
};

struct readers {
	pthread_mutex_t mutex; /* for all that follows */
	struct bm_scan *scan;
	const struct bm_ranges *ranges;
	const struct bm_proofs *proofs;
	unsigned next;	    /* bucket that nobody has taken */
	unsigned size;	    /* of a batch, in buckets */
	struct span *again; /* what was taken and not read */
	size_t again_count;
	unsigned read; /* buckets */
	bool has_failed;
	struct bm_error err;
};

struct reader {
	struct readers *all;
	struct bm_pair *pair;
	pthread_t thread;
};

/* From `from` on the first bucket that is (not) proven. */
static unsigned next_bucket(const struct readers *all, unsigned from, bool is_proven)
{
	const bool *proven = all->proofs->proven;

	while (from < all->ranges->count && (proven != NULL && proven[from]) != is_proven) {
		from++;
	}
	return from;
}

static void put_back(struct readers *all, struct span span)
{
	all->again = bm_realloc(all->again, all->again_count + 1, sizeof(*all->again));
	all->again[all->again_count++] = span;
}

/* The next buckets that are to be read; false: there are none, or it is over. */
static bool take_span(struct readers *all, struct span *out)
{
	pthread_mutex_lock(&all->mutex);
	bool has_more = true;
	if (all->again_count > 0) {
		*out = all->again[--all->again_count];
	} else {
		out->first = next_bucket(all, all->next, false);
		out->last = all->next = next_bucket(all, out->first, true);
		has_more = out->first < out->last;
	}
	if (has_more && out->last - out->first > all->size) {
		put_back(all, (struct span){out->first + all->size, out->last});
		out->last = out->first + all->size;
	}
	has_more = has_more && !all->has_failed;
	pthread_mutex_unlock(&all->mutex);
	return has_more;
}

static unsigned next_size(const struct readers *all, uint64_t took_msec)
{
	const struct bm_scan *scan = all->scan;
	uint64_t most = scan->beside != NULL ? scan->beside->batch_msec : BATCH_LONG_MSEC;

	if (!all->ranges->by_order) {
		return all->size;
	}
	if (took_msec < most / BATCH_SPAN) {
		return all->size < all->ranges->count ? all->size * 2 : all->size;
	}
	return took_msec > most && all->size > 1 ? all->size / 2 : all->size;
}

/* ---- what one of them found ---- */

static struct bm_scan part_of(const struct readers *all, struct bm_pair *pair)
{
	const struct bm_scan *scan = all->scan;
	struct bm_scan part = {.pair = pair,
			.digest = scan->digest,
			.table = scan->table,
			.migration = scan->migration,
			.snapshot_msec = scan->snapshot_msec,
			.readers = scan->readers,
			.too_many = scan->too_many,
			.has_applied = scan->has_applied};

	bm_keys_init(&part.suspects, scan->table->key_count);
	return part;
}

static void merge(struct bm_scan *scan, const struct bm_scan *part)
{
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		scan->rows[side] += part->rows[side];
		scan->nulls[side].rows += part->nulls[side].rows;
		scan->nulls[side].hashes += part->nulls[side].hashes;
	}
	scan->read += part->read;
	scan->differing += part->differing;
	scan->too_many_pending = scan->too_many_pending || part->too_many_pending;
	scan->truncated = scan->truncated || part->truncated;
	scan->unlisted = scan->unlisted || part->unlisted;
	scan->has_applied = scan->has_applied || part->has_applied;
	if (scan->suspects.count + part->suspects.count > BM_KEYS_MOST) {
		bm_keys_sort(&scan->suspects); /* each moment has those under way again */
	}
	/* Of too many those that there is room for: they are looked at again, and named. */
	bool has_room = bm_keys_add_all(&scan->suspects, &part->suspects);
	scan->too_many = scan->too_many || part->too_many || !has_room;
}

static void fail(struct readers *all, const struct bm_error *err)
{
	if (!all->has_failed) {
		all->has_failed = true;
		all->err = *err;
	}
	if (bm_moment_was_too_long(err)) {
		bm_error_wrap(&all->err,
				"a part of it cannot be read while a snapshot may live (%g s)",
				(double)all->scan->snapshot_msec / 1000);
	}
}

/* How a batch ended; false: this reader is of no use any more. */
static bool settle(struct reader *reader, struct bm_scan *part, struct span span, int rc,
		uint64_t took_msec, const struct bm_error *err)
{
	struct readers *all = reader->all;
	struct bm_scan *scan = all->scan;
	bool goes_on = true;

	pthread_mutex_lock(&all->mutex);
	scan->longest_msec = part->longest_msec > scan->longest_msec ? part->longest_msec
								     : scan->longest_msec;
	if (rc == 0) {
		merge(scan, part);
		all->read += span.last - span.first;
		all->size = next_size(all, took_msec);
	} else if (bm_moment_was_too_long(err) && span.last - span.first > 1) {
		all->size = (span.last - span.first) / 2;
		put_back(all, span);
	} else if (reader->pair != scan->pair && bm_pair_is_lost(reader->pair)) {
		put_back(all, span);
		goes_on = false;
	} else {
		fail(all, err);
	}
	if (rc == 0 && scan->on_share != NULL) {
		scan->on_share(scan->ctx, (double)all->read / all->ranges->count);
	}
	pthread_mutex_unlock(&all->mutex);
	bm_keys_finish(&part->suspects);
	return goes_on;
}

/* Applications come first; only one reader is beside them. */
static void rest(struct readers *all, struct span span, uint64_t took_msec)
{
	struct bm_error err = BM_ERROR_INIT;

	if (bm_verify_rest(all->scan, span.last - span.first, all->ranges->count, took_msec,
			    &err) != 0) {
		fail(all, &err);
	}
}

static void *read_on(void *ctx)
{
	struct reader *reader = ctx;
	struct readers *all = reader->all;
	bool goes_on = true;
	struct span span;

	while (goes_on && take_span(all, &span)) {
		struct bm_error err = BM_ERROR_INIT;
		uint64_t begun_msec = bm_clock_msec();
		pthread_mutex_lock(&all->mutex);
		struct bm_scan part = part_of(all, reader->pair);
		pthread_mutex_unlock(&all->mutex);
		int rc = bm_batch_run(
				&part, all->ranges, all->proofs, span.first, span.last, &err);
		uint64_t took_msec = bm_clock_msec() - begun_msec;
		goes_on = settle(reader, &part, span, rc, took_msec, &err);
		if (all->scan->beside != NULL) {
			rest(all, span, took_msec);
		}
	}
	return NULL;
}

/* ---- all of them ---- */

static unsigned count_unread(const struct readers *all)
{
	unsigned unread = 0;

	for (unsigned i = 0; i < all->ranges->count; i++) {
		unread += all->proofs->proven == NULL || !all->proofs->proven[i];
	}
	return unread;
}

static unsigned size_at_first(const struct readers *all, unsigned unread)
{
	uint64_t count = all->ranges->count, bytes = all->scan->table->bytes;
	unsigned share = unread / (2 * (all->scan->more_count + 1));

	if (all->scan->beside != NULL && all->ranges->by_order) {
		return 1;
	}
	if (!all->ranges->by_order) {
		uint64_t size = bytes > BYTES_AT_ONCE ? count * BYTES_AT_ONCE / bytes : count;
		return size > 0 ? (unsigned)size : 1;
	}
	share = share > 0 ? share : 1;
	return share < BUCKETS_AT_FIRST ? share : BUCKETS_AT_FIRST;
}

/* How many threads there are work for, besides the caller's. */
static unsigned helpers_of(const struct readers *all, unsigned unread)
{
	unsigned least = all->ranges->by_order ? BUCKETS_OF_A_READER : all->size;
	unsigned most = unread / least;

	most = most > 0 ? most - 1 : 0;
	return most < all->scan->more_count ? most : all->scan->more_count;
}

static void run_threads(struct readers *all, unsigned helpers)
{
	struct reader others[BM_READERS_MOST];
	struct reader first = {.all = all, .pair = all->scan->pair};
	unsigned begun = 0;

	for (unsigned i = 0; i < helpers && i < BM_READERS_MOST; i++) {
		others[begun] = (struct reader){.all = all, .pair = &all->scan->more[i]};
		if (!bm_pair_is_lost(others[begun].pair) &&
				pthread_create(&others[begun].thread, NULL, read_on,
						&others[begun]) == 0) {
			begun++;
		}
	}
	read_on(&first);
	for (unsigned i = 0; i < begun; i++) {
		pthread_join(others[i].thread, NULL);
	}
	read_on(&first); /* what others have left */
}

int bm_readers_run(struct bm_scan *scan, const struct bm_ranges *ranges,
		const struct bm_proofs *proofs, struct bm_error *err)
{
	struct readers all = {.mutex = PTHREAD_MUTEX_INITIALIZER,
			.scan = scan,
			.ranges = ranges,
			.proofs = proofs,
			.err = BM_ERROR_INIT};
	unsigned unread = count_unread(&all);

	scan->readers = scan->more_count + 1;
	if (unread == 0) { /* of a table that is proven: what is under way */
		return bm_batch_run(scan, ranges, proofs, 0, 0, err);
	}
	all.size = size_at_first(&all, unread);
	all.read = ranges->count - unread;
	run_threads(&all, helpers_of(&all, unread));
	free(all.again);
	pthread_mutex_destroy(&all.mutex);
	if (all.has_failed) {
		*err = all.err;
	}
	return all.has_failed ? -1 : 0;
}
