/* The longest way to each table over foreign keys; circles are cut at their smallest table. */
#include "worker/rows/waves.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"

struct plan {
	struct bm_wave_table *tables;
	struct bm_wave_key *keys;
	size_t table_count, key_count;
};

/* The table that `key` refers to has to be copied before. */
static bool is_arrow(const struct plan *plan, const struct bm_wave_key *key)
{
	return key->is_trusted && !plan->tables[key->to].is_keyed;
}

/* When all that it refers to is placed. */
static bool place(const struct plan *plan, size_t table)
{
	unsigned wave = 0;

	for (size_t i = 0; i < plan->key_count; i++) {
		const struct bm_wave_key *key = &plan->keys[i];
		if (key->from != table || !is_arrow(plan, key)) {
			continue;
		}
		if (!plan->tables[key->to].is_placed) {
			return false;
		}
		if (plan->tables[key->to].wave >= wave) {
			wave = plan->tables[key->to].wave + 1;
		}
	}
	plan->tables[table].wave = wave;
	plan->tables[table].is_placed = true;
	return true;
}

static bool place_what_is_ready(const struct plan *plan, size_t *left)
{
	bool placed = false;

	*left = 0;
	for (size_t i = 0; i < plan->table_count; i++) {
		if (!plan->tables[i].is_placed) {
			bool now = place(plan, i);
			placed = placed || now;
			*left += !now;
		}
	}
	return placed;
}

/* It refers to itself over others that have no place yet. */
static bool is_in_circle(const struct plan *plan, size_t table, bool *reached)
{
	bool grown = true;

	for (size_t i = 0; i < plan->table_count; i++) {
		reached[i] = false;
	}
	while (grown && !reached[table]) {
		grown = false;
		for (size_t i = 0; i < plan->key_count; i++) {
			const struct bm_wave_key *key = &plan->keys[i];
			if (is_arrow(plan, key) && !plan->tables[key->to].is_placed &&
					!reached[key->to] &&
					(key->from == table || reached[key->from])) {
				reached[key->to] = true;
				grown = true;
			}
		}
	}
	return reached[table];
}

static void cut_circle(const struct plan *plan)
{
	bool *reached = bm_alloc((plan->table_count + 1) * sizeof(*reached));
	struct bm_wave_table *smallest = NULL;

	for (size_t i = 0; i < plan->table_count; i++) {
		struct bm_wave_table *table = &plan->tables[i];
		if (!table->is_placed && (smallest == NULL || table->bytes < smallest->bytes) &&
				is_in_circle(plan, i, reached)) {
			smallest = table;
		}
	}
	free(reached);
	if (smallest != NULL) {
		smallest->is_keyed = true;
	}
}

void bm_waves_place(struct bm_wave_table *tables, size_t table_count, struct bm_wave_key *keys,
		size_t key_count)
{
	const struct plan plan = {tables, keys, table_count, key_count};
	size_t left = table_count;

	for (size_t i = 0; i < key_count; i++) {
		struct bm_wave_table *to = &tables[keys[i].to];
		to->is_keyed = to->is_keyed ||
				(keys[i].is_trusted &&
						(to->bytes < BM_WAVE_SMALL_BYTES ||
								keys[i].from == keys[i].to));
	}
	for (size_t i = 0; i < key_count; i++) {
		const struct bm_wave_table *to = &tables[keys[i].to];
		keys[i].is_trusted = keys[i].is_trusted && (to->is_keyed || !to->is_late);
	}
	while (left > 0) {
		if (!place_what_is_ready(&plan, &left)) {
			cut_circle(&plan);
		}
	}
}
