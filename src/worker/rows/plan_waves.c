/*
 * From the catalog of the source to a graph of tables, and from its plan to the ledger.
 *
 * Only foreign keys that hold on the source are made without a check: one that is NOT VALID
 * there is made NOT VALID here, after the rows, as the dump has it.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/rows/waves.h"
#include "worker/transfer/internal.h"

/* clang-format off */
static const char partitions_sql[] =
#include "worker/rows/sql/wave_partitions.sql.inc"
;
static const char keys_sql[] =
#include "worker/rows/sql/wave_keys.sql.inc"
;
/* clang-format on */

enum { PARTITION, ROOT };
enum { KEY, FROM, TO, NEEDED };

struct graph {
	struct bm_transfer *transfer;
	PGresult *partitions, *needed;
	const char **names; /* of the tables; borrowed */
	struct bm_wave_table *tables;
	size_t table_count;
	struct bm_wave_key *keys;
	size_t *first_row; /* of each key in `needed`, and one more for the end */
	size_t key_count;
};

static const char *root_of(const struct graph *graph, const char *name)
{
	for (int row = 0; row < PQntuples(graph->partitions); row++) {
		if (strcmp(PQgetvalue(graph->partitions, row, PARTITION), name) == 0) {
			return PQgetvalue(graph->partitions, row, ROOT);
		}
	}
	return name;
}

/* The number of a table that is whole; a new one when it is not known yet. */
static size_t number_of(struct graph *graph, const char *name)
{
	for (size_t i = 0; i < graph->table_count; i++) {
		if (strcmp(graph->names[i], name) == 0) {
			return i;
		}
	}
	graph->names[graph->table_count] = name;
	return graph->table_count++;
}

static struct bm_post_object *find_object(struct bm_transfer *t, const char *name, size_t from)
{
	for (size_t i = from; i < t->ledger.object_count; i++) {
		if (strcmp(t->ledger.objects[i].name, name) == 0) {
			return &t->ledger.objects[i];
		}
	}
	return NULL;
}

static void add_tables(struct graph *graph)
{
	const struct bm_tables *tables = &graph->transfer->tables;

	for (size_t i = 0; i < tables->count; i++) {
		size_t number = number_of(graph, root_of(graph, tables->list[i].name));
		graph->tables[number].bytes += tables->list[i].bytes;
		graph->tables[number].is_late |= tables->list[i].is_late;
	}
}

static bool has_key_object(const struct graph *graph, size_t key)
{
	for (size_t row = graph->first_row[key]; row < graph->first_row[key + 1]; row++) {
		if (find_object(graph->transfer, PQgetvalue(graph->needed, (int)row, NEEDED),
				    0) != NULL) {
			return true;
		}
	}
	return false;
}

static void add_keys(struct graph *graph)
{
	const char *before = "";

	for (int row = 0; row < PQntuples(graph->needed); row++) {
		const char *name = PQgetvalue(graph->needed, row, KEY);
		if (strcmp(name, before) != 0) {
			size_t key = graph->key_count++;
			graph->first_row[key] = (size_t)row;
			graph->keys[key].from = number_of(
					graph, PQgetvalue(graph->needed, row, FROM));
			graph->keys[key].to = number_of(
					graph, PQgetvalue(graph->needed, row, TO));
			before = name;
		}
	}
	graph->first_row[graph->key_count] = (size_t)PQntuples(graph->needed);
	for (size_t i = 0; i < graph->key_count; i++) {
		const char *name = PQgetvalue(graph->needed, (int)graph->first_row[i], KEY);
		graph->keys[i].is_trusted = find_object(graph->transfer, name, 0) != NULL &&
				has_key_object(graph, i);
	}
}

/* All objects of that name are made before `wave`: an index, and the constraint on it. */
static void make_before(struct bm_transfer *t, const char *name, unsigned wave)
{
	struct bm_post_object *object = find_object(t, name, 0);

	while (object != NULL) {
		object->wave = wave < object->wave ? wave : object->wave;
		object = find_object(t, name, (size_t)(object - t->ledger.objects) + 1);
	}
}

static void write_down(struct graph *graph)
{
	struct bm_transfer *t = graph->transfer;

	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		struct bm_chunk *chunk = &t->ledger.chunks[i];
		chunk->wave = graph->tables[number_of(graph, root_of(graph, chunk->table))]
					      .wave;
	}
	for (size_t i = 0; i < graph->key_count; i++) {
		const struct bm_wave_key *key = &graph->keys[i];
		unsigned wave = graph->tables[key->from].wave;
		if (!key->is_trusted) {
			continue;
		}
		make_before(t, PQgetvalue(graph->needed, (int)graph->first_row[i], KEY), wave);
		for (size_t row = graph->first_row[i]; row < graph->first_row[i + 1]; row++) {
			make_before(t, PQgetvalue(graph->needed, (int)row, NEEDED),
					graph->tables[key->to].is_keyed ? 0 : wave);
		}
	}
}

static void plan(struct graph *graph)
{
	size_t rows = (size_t)PQntuples(graph->needed);
	/* One more for the large objects, which are a chunk of no table. */
	size_t most = graph->transfer->tables.count + 2 * rows + 1;

	graph->names = bm_alloc(most * sizeof(*graph->names));
	graph->tables = bm_alloc(most * sizeof(*graph->tables));
	graph->keys = bm_alloc((rows + 1) * sizeof(*graph->keys));
	graph->first_row = bm_alloc((rows + 1) * sizeof(*graph->first_row));
	add_tables(graph);
	add_keys(graph);
	bm_waves_place(graph->tables, graph->table_count, graph->keys, graph->key_count);
	write_down(graph);
	free(graph->names);
	free(graph->tables);
	free(graph->keys);
	free(graph->first_row);
}

/* Else each row that is copied would be checked by a trigger. */
static int is_replica(struct bm_transfer *t, struct bm_error *err)
{
	char *role = bm_sql_value(t->control, "SHOW session_replication_role", err);
	int rc = role == NULL ? -1 : strcmp(role, "replica") == 0;

	free(role);
	return rc;
}

int bm_waves_plan(struct bm_transfer *t, struct bm_error *err)
{
	struct graph graph = {.transfer = t};
	int rc = t->options.trust_keys ? is_replica(t, err) : 0;

	if (rc == 0 && t->options.trust_keys) {
		bm_transfer_note(t,
				"foreign keys are checked: our role may not set "
				"session_replication_role on the destination");
	}
	if (rc <= 0) {
		return rc;
	}
	graph.partitions = bm_sql(t->snapshot_session, partitions_sql, err);
	graph.needed = graph.partitions == NULL ? NULL
						: bm_sql(t->snapshot_session, keys_sql, err);
	rc = graph.needed != NULL
			? 0
			: bm_error_wrap(err, "reading the foreign keys of the source");
	if (rc == 0) {
		plan(&graph);
	}
	PQclear(graph.partitions);
	PQclear(graph.needed);
	return rc;
}
