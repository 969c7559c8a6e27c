/* From the entries of a dump to objects, with what the source's catalog knows of them. */
#include "worker/transfer/post_data.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

/* Of an object without rows. */
#define LEAST_WEIGHT 8192

/* Types not listed belong to BM_STAGE_REST. */
static const struct {
	const char *type;
	enum bm_stage stage;
} stages[] = {
		{"INDEX", BM_STAGE_BUILD},
		{"CONSTRAINT", BM_STAGE_BUILD},
		{"CHECK CONSTRAINT", BM_STAGE_BUILD},
		{"INDEX ATTACH", BM_STAGE_ATTACH},
		{"FK CONSTRAINT", BM_STAGE_FOREIGN},
		{"TRIGGER", BM_STAGE_TRIGGER},
		{"EVENT TRIGGER", BM_STAGE_TRIGGER},
		{"COMMENT", BM_STAGE_TRIGGER},
		{"SECURITY LABEL", BM_STAGE_TRIGGER},
		{"PUBLICATION", BM_STAGE_TRIGGER},
		{"PUBLICATION TABLE", BM_STAGE_TRIGGER},
		{"PUBLICATION TABLES IN SCHEMA", BM_STAGE_TRIGGER},
};

/* Stages whose objects are made at the same time; the others go one by one, in their order. */
static const bool is_parallel[BM_STAGE_COUNT] = {
		[BM_STAGE_BUILD] = true,
		[BM_STAGE_FOREIGN] = true,
		[BM_STAGE_ANALYZE] = true,
};

uint64_t bm_post_object_weight(const struct bm_post_object *object)
{
	return object->cost + LEAST_WEIGHT;
}

enum bm_stage bm_post_data_stage(const char *type)
{
	for (size_t i = 0; i < BM_COUNT_OF(stages); i++) {
		if (strcmp(stages[i].type, type) == 0) {
			return stages[i].stage;
		}
	}
	return BM_STAGE_REST;
}

bool bm_post_data_run_together(enum bm_stage stage)
{
	return is_parallel[stage];
}

/* ---- what may run ---- */

static bool locks_conflict(const struct bm_post_object *a, const struct bm_post_object *b)
{
	if (a->shares && b->shares) {
		return false;
	}
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < 2; j++) {
			if (a->tables[i][0] != '\0' &&
					strcmp(a->tables[i], b->tables[j]) == 0) {
				return true;
			}
		}
	}
	return false;
}

static bool may_run(const struct bm_post_object *object, const struct bm_running *running)
{
	for (size_t i = 0; i < running->count; i++) {
		if (running->list[i] == object || locks_conflict(object, running->list[i])) {
			return false;
		}
	}
	return true;
}

static bool is_left(const struct bm_post_object *object, const struct bm_running *running,
		bool failed)
{
	return !object->done && !failed && object->wave <= running->wave;
}

struct bm_post_object *bm_post_data_next(struct bm_post_object *objects, size_t count,
		const struct bm_running *running, const bool *failed, bool *waiting)
{
	enum bm_stage stage = BM_STAGE_COUNT;
	struct bm_post_object *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (is_left(&objects[i], running, failed[i]) && objects[i].stage < stage) {
			stage = objects[i].stage;
		}
	}
	*waiting = stage != BM_STAGE_COUNT;
	if (stage == BM_STAGE_COUNT) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct bm_post_object *object = &objects[i];
		if (!is_left(object, running, failed[i]) || object->running ||
				object->stage != stage) {
			continue;
		}
		if (!is_parallel[stage]) {
			return running->count == 0 ? object : NULL;
		}
		if (may_run(object, running) && (best == NULL || object->cost > best->cost)) {
			best = object;
		}
	}
	return best;
}

/* ---- the plan ---- */

/* clang-format off */
static const char objects_sql[] =
#include "worker/transfer/sql/post_data_objects.sql.inc"
;
/* clang-format on */

/* In the order of bytes, whatever the server's collation says. */
struct known {
	const char *key;
	int row;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->key, ((const struct known *)b)->key);
}

struct catalog {
	PGresult *rows;
	struct known *list;
};

static int read_catalog(struct bm_transfer *t, struct catalog *out, struct bm_error *err)
{
	/* A big table's key is built as an index first, beside the table's others. */
	char bytes[24];
	const char *const params[] = {bytes};

	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)t->options.chunk_bytes / 2);
	*out = (struct catalog){.rows = bm_sql_params(t->snapshot_session, objects_sql, 1,
						params, err)};
	if (out->rows == NULL) {
		return bm_error_wrap(err, "reading the source's indexes");
	}
	size_t count = (size_t)PQntuples(out->rows);
	out->list = bm_alloc((count + 1) * sizeof(*out->list));
	for (size_t i = 0; i < count; i++) {
		out->list[i] = (struct known){PQgetvalue(out->rows, (int)i, 0), (int)i};
	}
	qsort(out->list, count, sizeof(*out->list), by_key);
	return 0;
}

/* The row about an entry, or -1. */
static int find_known(const struct catalog *catalog, const struct bm_entry *entry)
{
	char *key = bm_format("%s\t%s", entry->schema, entry->name);
	struct known wanted = {.key = key};
	const struct known *found = bsearch(&wanted, catalog->list,
			(size_t)PQntuples(catalog->rows), sizeof(wanted), by_key);

	free(key);
	return found != NULL ? found->row : -1;
}

static struct bm_post_object *add_object(struct bm_transfer *t, enum bm_stage stage,
		const struct bm_entry *entry, const char *table, const char *other)
{
	struct bm_post_object *object = bm_ledger_add_object(&t->ledger);

	object->stage = stage;
	object->name = strcmp(entry->schema, "-") == 0
			? bm_format("%s %s", entry->type, entry->name)
			: bm_format("%s %s.%s", entry->type, entry->schema, entry->name);
	object->tables[0] = bm_strdup(table);
	object->tables[1] = bm_strdup(other);
	return object;
}

/* A key of a big table: the index beside the others, then the constraint on it. */
static void add_apart(struct bm_transfer *t, const struct bm_entry *entry,
		const struct catalog *catalog, int row)
{
	const char *table = PQgetvalue(catalog->rows, row, 1);
	const char *text = bm_strbuf_text(&entry->sql);
	size_t first = bm_statement_end(text, entry->sql.length, 0);
	struct bm_post_object *index = add_object(t, BM_STAGE_BUILD, entry, table, "");

	index->sql = bm_strdup(PQgetvalue(catalog->rows, row, 4));
	index->shares = true;
	index->cost = strtoull(PQgetvalue(catalog->rows, row, 3), NULL, 10);
	struct bm_post_object *constraint = add_object(t, BM_STAGE_ADOPT, entry, table, "");
	constraint->sql = bm_format("%s%s", PQgetvalue(catalog->rows, row, 5), text + first);
}

static bool is_of_bucardo(const struct bm_entry *entry)
{
	const char *text = bm_strbuf_text(&entry->sql);

	/* Its own, and the fence of a source that was a destination once. */
	return strcmp(entry->type, "TRIGGER") == 0 &&
			(strstr(text, " EXECUTE FUNCTION bucardo.") != NULL ||
					strstr(text, " EXECUTE FUNCTION bucardo_machine.") !=
							NULL);
}

static void add_entry(struct bm_transfer *t, const struct bm_entry *entry,
		const struct catalog *catalog)
{
	enum bm_stage stage = bm_post_data_stage(entry->type);
	int row = find_known(catalog, entry);

	if (stage == BM_STAGE_BUILD && row >= 0 &&
			PQgetvalue(catalog->rows, row, 4)[0] != '\0') {
		add_apart(t, entry, catalog, row);
		return;
	}
	struct bm_post_object *object = add_object(t, stage, entry,
			row >= 0 ? PQgetvalue(catalog->rows, row, 1) : "",
			row >= 0 ? PQgetvalue(catalog->rows, row, 2) : "");
	object->sql = bm_strdup(bm_strbuf_text(&entry->sql));
	object->cost = row >= 0 ? strtoull(PQgetvalue(catalog->rows, row, 3), NULL, 10) : 0;
	object->shares = strcmp(entry->type, "INDEX") == 0;
	object->with_path = entry->with_path;
}

/* An index of a materialised view that is itself made after the data waits for it. */
static bool is_postponed(
		const struct bm_entries *entries, size_t index, const struct catalog *catalog)
{
	const struct bm_entry *entry = &entries->list[index];
	int row = find_known(catalog, entry);

	for (size_t i = 0; i < index && row >= 0; i++) {
		const struct bm_entry *view = &entries->list[i];
		if (strcmp(view->type, "MATERIALIZED VIEW") == 0 &&
				bm_entry_is_named(view, PQgetvalue(catalog->rows, row, 1))) {
			return true;
		}
	}
	return false;
}

int bm_plan_post_data(
		struct bm_transfer *t, const struct bm_entries *entries, struct bm_error *err)
{
	struct catalog catalog;

	if (read_catalog(t, &catalog, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < entries->count; i++) {
		const struct bm_entry *entry = &entries->list[i];
		if (entry->sql.length == 0 || is_of_bucardo(entry)) {
			continue;
		}
		size_t before = t->ledger.object_count;
		add_entry(t, entry, &catalog);
		if (strcmp(entry->type, "INDEX") == 0 && is_postponed(entries, i, &catalog)) {
			t->ledger.objects[before].stage = BM_STAGE_REST;
		}
	}
	PQclear(catalog.rows);
	free(catalog.list);
	return 0;
}
