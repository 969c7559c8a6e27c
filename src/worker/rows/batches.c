/* Chunks in the order of their size, and how many of them go together. */
#include "worker/rows/batches.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/transfer/large_objects.h"

/* Small tables share a transaction up to this many, and this many bytes. */
#define BATCH_CHUNKS 250
#define BATCH_BYTES ((uint64_t)8 << 20)

bool bm_chunk_is_large_objects(const struct bm_chunk *chunk)
{
	return strcmp(chunk->table, BM_LARGE_OBJECTS) == 0;
}

struct bm_table *bm_batch_late_table(struct bm_transfer *t, const struct bm_chunk *chunk)
{
	for (size_t i = 0; i < t->tables.count; i++) {
		struct bm_table *table = &t->tables.list[i];
		if (table->is_late && strcmp(table->name, chunk->table) == 0) {
			return table;
		}
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const struct bm_chunk *left = *(struct bm_chunk *const *)a;
	const struct bm_chunk *right = *(struct bm_chunk *const *)b;

	if (left->estimate != right->estimate) {
		return left->estimate > right->estimate ? -1 : 1;
	}
	return left->id < right->id ? -1 : left->id > right->id;
}

/* Enough of them for every thread to have some. */
static size_t most_together(const struct bm_batches *all)
{
	size_t most = 1 + all->count / (2 * all->transfer->options.jobs);

	return all->is_late ? 1 : most > BATCH_CHUNKS ? BATCH_CHUNKS : most;
}

static void cut(struct bm_batches *all)
{
	size_t most = most_together(all);

	all->batches = bm_alloc((all->count + 1) * sizeof(*all->batches));
	for (size_t i = 0; i < all->count;) {
		struct bm_batch *batch = &all->batches[all->batch_count++];
		uint64_t bytes = all->order[i]->estimate;
		batch->chunks = &all->order[i];
		batch->count = 1;
		while (++i < all->count && batch->count < most) {
			bytes += all->order[i]->estimate;
			if (bytes > BATCH_BYTES ||
					bm_chunk_is_large_objects(batch->chunks[0]) ||
					bm_chunk_is_large_objects(all->order[i])) {
				break;
			}
			batch->count++;
		}
	}
}

void bm_batches_make(struct bm_batches *all)
{
	struct bm_ledger *ledger = &all->transfer->ledger;

	all->order = bm_alloc((ledger->chunk_count + 1) * sizeof(*all->order));
	for (size_t i = 0; i < ledger->chunk_count; i++) {
		struct bm_chunk *chunk = &ledger->chunks[i];
		bool late = bm_batch_late_table(all->transfer, chunk) != NULL;
		if (!chunk->done && late == all->is_late &&
				(late || chunk->wave == all->wave)) {
			all->order[all->count++] = chunk;
		}
	}
	qsort(all->order, all->count, sizeof(*all->order), by_size);
	cut(all);
}

void bm_batches_finish(struct bm_batches *all)
{
	free(all->order);
	free(all->batches);
}

struct bm_batch *bm_batches_take(struct bm_batches *all)
{
	struct bm_batch *found = NULL;

	pthread_mutex_lock(&all->transfer->mutex);
	for (size_t i = 0; i < all->batch_count && found == NULL; i++) {
		if (!all->batches[i].taken) {
			found = &all->batches[i];
			found->taken = true;
		}
	}
	pthread_mutex_unlock(&all->transfer->mutex);
	return found;
}

void bm_batches_give_back(struct bm_batches *all, struct bm_batch *batch)
{
	pthread_mutex_lock(&all->transfer->mutex);
	batch->taken = false;
	pthread_mutex_unlock(&all->transfer->mutex);
}
