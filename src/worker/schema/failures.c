/* Which objects may be missing, and how each kind of them is told. */
#include "worker/schema/failures.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/transfer/path.h"

/* How many failures a message names. */
#define NAMED_FAILURES 5

/* What the destination can do without. `hint` NULL: no finding, a note. */
static const struct kind {
	const char *prefix, *hint;
} kinds[] = {
		{"COMMENT ", NULL},
		{"SECURITY LABEL ", NULL},
		{"PUBLICATION", NULL},
		{"EVENT TRIGGER ", NULL},
		{"ACL ", NULL},
		{"DEFAULT ACL ", NULL},
		{"OWNER ", NULL},
		{"ANALYZE ", NULL},
		{"EXTENSION ", NULL},
		{"PROCEDURAL LANGUAGE ", NULL},
		{"SERVER ", NULL},
		{"USER MAPPING ", NULL},
		{"REFRESH ",
				"it is there, and empty; on the destination, when what the error names "
				"is fixed: "},
		{"VIEW ",
				"make it on the destination when what the error names is fixed; or "
				"leave it out (--exclude, tables.exclude)"},
		{"MATERIALIZED VIEW ",
				"make it on the destination when what the error names is fixed; or "
				"leave it out (--exclude, tables.exclude)"},
		{"CAST ", "make it on the destination when what the error names is fixed"},
};

static const struct kind *kind_of(const struct bm_post_object *object)
{
	for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
		if (bm_text_begins(object->name, kinds[i].prefix)) {
			return &kinds[i];
		}
	}
	return NULL;
}

/* ---- remembering ---- */

void bm_failures_init(struct bm_failures *failures, struct bm_transfer *transfer)
{
	size_t count = transfer->ledger.object_count + 1;

	*failures = (struct bm_failures){.transfer = transfer};
	failures->failed = bm_alloc(count * sizeof(*failures->failed));
	failures->why = bm_alloc(count * sizeof(*failures->why));
	failures->other = bm_alloc(count * sizeof(*failures->other));
}

void bm_failures_finish(struct bm_failures *failures)
{
	for (size_t i = 0; i < failures->transfer->ledger.object_count; i++) {
		free(failures->why[i]);
		free(failures->other[i]);
	}
	free(failures->failed);
	free(failures->why);
	free(failures->other);
}

static size_t index_of(const struct bm_failures *failures, const struct bm_post_object *object)
{
	return (size_t)(object - failures->transfer->ledger.objects);
}

void bm_failures_add(struct bm_failures *failures, const struct bm_post_object *object,
		const struct bm_error *why)
{
	size_t i = index_of(failures, object);

	pthread_mutex_lock(&failures->transfer->mutex);
	failures->failed[i] = true;
	free(failures->why[i]);
	failures->why[i] = bm_alloc(sizeof(*why));
	*failures->why[i] = *why;
	pthread_mutex_unlock(&failures->transfer->mutex);
}

void bm_failures_other(struct bm_failures *failures, const struct bm_post_object *object,
		const char *why)
{
	size_t i = index_of(failures, object);

	pthread_mutex_lock(&failures->transfer->mutex);
	free(failures->other[i]);
	failures->other[i] = bm_strdup(why);
	pthread_mutex_unlock(&failures->transfer->mutex);
}

size_t bm_failures_missing(const struct bm_failures *failures)
{
	size_t count = 0;

	for (size_t i = 0; i < failures->transfer->ledger.object_count; i++) {
		count += failures->failed[i] && bm_path_may_help(failures->why[i]);
	}
	return count;
}

size_t bm_failures_forgive(struct bm_failures *failures)
{
	size_t count = bm_failures_missing(failures);

	for (size_t i = 0; i < failures->transfer->ledger.object_count; i++) {
		if (failures->failed[i] && bm_path_may_help(failures->why[i])) {
			failures->failed[i] = false;
		}
	}
	return count;
}

/* ---- telling ---- */

/* It needs a view that is left out: the error names that. */
static bool goes_with_another(const struct bm_failures *failures, size_t index)
{
	const struct bm_ledger *ledger = &failures->transfer->ledger;

	for (size_t i = 0; i < ledger->object_count; i++) {
		const char *what = ledger->objects[i].name;
		if (i == index || !failures->failed[i] ||
				!(bm_text_begins(what, "VIEW ") ||
						bm_text_begins(what, "MATERIALIZED VIEW "))) {
			continue;
		}
		char *name = bm_format("\"%s\"", strstr(what, "VIEW ") + strlen("VIEW "));
		bool found = strstr(failures->why[index]->message, name) != NULL;
		free(name);
		if (found) {
			return true;
		}
	}
	return false;
}

static void add_name(struct bm_strbuf *names, const char *name, const char *why)
{
	bm_strbuf_printf(names, "%s%s%s%s", names->length > 0 ? "; " : "", name,
			why != NULL ? ": " : "", why != NULL ? why : "");
}

struct telling {
	struct bm_strbuf needed, ignored, along;
	unsigned count; /* that have to be there */
};

static void report_one(struct bm_failures *failures, size_t i, struct telling *telling)
{
	const struct bm_post_object *object = &failures->transfer->ledger.objects[i];
	const struct kind *kind = kind_of(object);
	const char *why = failures->why[i]->message;

	if (goes_with_another(failures, i)) {
		add_name(&telling->along, object->name, NULL);
	} else if (kind == NULL) {
		if (telling->count++ < NAMED_FAILURES) {
			add_name(&telling->needed, object->name, why);
		}
	} else if (kind->hint == NULL) {
		add_name(&telling->ignored, object->name, why);
	} else {
		bool empty = object->stage == BM_STAGE_REFRESH;
		char *text = bm_format(
				"%s: %s", empty ? "it cannot be filled" : "left out", why);
		char *hint = bm_format("%s%s", kind->hint, empty ? object->sql : "");
		bm_transfer_find(failures->transfer, object->name, text, hint);
		free(hint);
		free(text);
	}
}

int bm_failures_report(struct bm_failures *failures, struct bm_error *err)
{
	struct bm_transfer *t = failures->transfer;
	struct telling telling = {.needed = BM_STRBUF_INIT};
	int rc = 0;

	for (size_t i = 0; i < t->ledger.object_count; i++) {
		if (failures->failed[i]) {
			report_one(failures, i, &telling);
		} else if (failures->other[i] != NULL) {
			struct bm_error why = BM_ERROR_INIT;
			bm_error_set(&why, BM_ERR_PRECONDITION, "%s", failures->other[i]);
			bm_path_other(t, "", t->ledger.objects[i].name, &why);
		}
	}
	if (telling.ignored.length > 0) {
		bm_transfer_note(t, "left out: %s", bm_strbuf_text(&telling.ignored));
	}
	if (telling.along.length > 0) {
		bm_transfer_note(t, "left out with what it belongs to: %s",
				bm_strbuf_text(&telling.along));
	}
	if (telling.count > 0) {
		rc = bm_error_set(err, BM_ERR_SQL,
				"%u of %u objects could not be made on the destination: %s; fix that "
				"and run the same command again",
				telling.count, (unsigned)t->ledger.object_count,
				bm_strbuf_text(&telling.needed));
	}
	bm_strbuf_finish(&telling.needed);
	bm_strbuf_finish(&telling.ignored);
	bm_strbuf_finish(&telling.along);
	return rc;
}
