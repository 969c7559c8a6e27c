/* Definitions, sequences and large objects: one state each, read again when it may have
 * changed. */
#include "worker/verify/objects.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/proof/states.h"

/* Sequences are transferred every few seconds (worker/reconcile). */
#define SEQUENCES_MSEC 15000

/* How long something has to differ: two passes, within these limits. */
#define CONFIRM_LEAST_MSEC 3000
#define CONFIRM_MOST_MSEC 60000

/* That many are named, and no more bytes of them. */
#define NAMED 5
#define NAMED_BYTES 600

/* clang-format off */
static const char written_sql[] =
#include "worker/verify/sql/verify_written.sql.inc"
;
/* clang-format on */

static const struct {
	const char *kind, *name;
	const char *catalogs; /* that are written when one changes; NULL: read each time */
	bool captured;	      /* something keeps them equal */
} parts[BM_PARTS] = {
		[BM_PART_DEFINITIONS] = {"schema", "definitions",
				"{pg_class,pg_attribute,pg_attrdef,pg_constraint,pg_index,"
				"pg_inherits,pg_partitioned_table,pg_proc,pg_aggregate,pg_trigger,"
				"pg_event_trigger,pg_rewrite,pg_sequence,pg_policy,pg_type,pg_enum,"
				"pg_range,pg_namespace,pg_extension,pg_description,pg_operator,"
				"pg_opclass,pg_opfamily,pg_cast,pg_collation,pg_conversion,"
				"pg_ts_config,pg_ts_dict,pg_language,pg_foreign_server,"
				"pg_foreign_table,pg_statistic_ext,pg_db_role_setting}",
				true},
		[BM_PART_SEQUENCES] = {"sequences", "all", NULL, true},
		[BM_PART_LARGE_OBJECTS] = {"large objects", "content",
				"{pg_largeobject,pg_largeobject_metadata}", false},
};

struct part {
	char *written[BM_PAIR_SIDES]; /* the servers' counts at the last look; NULL: none */
	json_t *suspects; /* {"index public.i": when it was seen first}; not settled while any
			   */
};

struct bm_verify_objects {
	struct part parts[BM_PARTS];
	/* Tables whose columns differ, or that one side lacks: since when, of the last pass and
	 * of this one. */
	json_t *tables, *tables_now;
};

struct bm_verify_objects *bm_verify_objects_new(void)
{
	struct bm_verify_objects *it = bm_alloc(sizeof(*it));

	*it = (struct bm_verify_objects){.tables = json_object(), .tables_now = json_object()};
	for (int i = 0; i < BM_PARTS; i++) {
		it->parts[i].suspects = json_object();
	}
	return it;
}

void bm_verify_objects_free(struct bm_verify_objects *it)
{
	for (int i = 0; it != NULL && i < BM_PARTS; i++) {
		free(it->parts[i].written[0]);
		free(it->parts[i].written[1]);
		json_decref(it->parts[i].suspects);
	}
	if (it != NULL) {
		json_decref(it->tables);
		json_decref(it->tables_now);
	}
	free(it);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

static enum bm_proof state_of(const json_t *object)
{
	return bm_proof_named(text_of(object, "state"));
}

/* ---- what is kept ---- */

struct summary {
	enum bm_proof state;
	struct bm_strbuf names; /* of those that differ, or of why it is unproven */
	size_t count[BM_PROOF_COUNT], equal;
	const char *unproven; /* why */
};

static void add_name(struct summary *sum, const json_t *object)
{
	const char *why = text_of(object, "why");

	if (sum->count[BM_PROOF_DIFFERENT] <= NAMED && sum->names.length < NAMED_BYTES) {
		bm_strbuf_printf(&sum->names, "%s%s %.200s%s%.200s%s",
				sum->names.length > 0 ? "; " : "", text_of(object, "kind"),
				text_of(object, "name"), why[0] != '\0' ? " (" : "", why,
				why[0] != '\0' ? ")" : "");
	}
}

/* A line of a screen, and of the log. */
static void make_one_line(char *text)
{
	for (char *at = text; *at != '\0'; at++) {
		*at = *at == '\n' || *at == '\t' ? ' ' : *at;
	}
}

static void add_object(struct summary *sum, const json_t *object)
{
	enum bm_proof state = state_of(object);

	sum->count[state]++;
	sum->state = state > sum->state ? state : sum->state;
	sum->equal += (size_t)json_integer_value(json_object_get(object, "equal"));
	if (state == BM_PROOF_DIFFERENT) {
		add_name(sum, object);
	} else if (state != BM_PROOF_EQUAL && sum->unproven == NULL) {
		sum->unproven = text_of(object, "why");
	}
}

static char *reason_of(const struct summary *sum)
{
	size_t different = sum->count[BM_PROOF_DIFFERENT];

	if (different > NAMED) {
		return bm_format("%zu differ: %s; and more", different,
				bm_strbuf_text(&sum->names));
	}
	return bm_strdup(different > 0				? bm_strbuf_text(&sum->names)
					: sum->unproven != NULL ? sum->unproven
								: "");
}

/* One state of all of them; what cannot be written down is found again. */
static void keep(struct bm_run *run, enum bm_verify_part which, const json_t *objects,
		size_t first, size_t last)
{
	struct summary sum = {.names = BM_STRBUF_INIT};
	struct bm_error err = BM_ERROR_INIT;

	for (size_t i = first; i < last; i++) {
		add_object(&sum, json_array_get(objects, i));
	}
	char *why = reason_of(&sum);
	make_one_line(why);
	json_t *state = bm_verify_object(parts[which].kind, parts[which].name, sum.state, why);
	size_t equal = sum.equal > 0 ? sum.equal : sum.count[BM_PROOF_EQUAL];
	json_object_set_new(state, "rows", json_integer((json_int_t)equal));
	json_object_set_new(state, "changed",
			json_integer((json_int_t)sum.count[BM_PROOF_DIFFERENT]));
	if (bm_run_has_sessions(run) && run->keeps_states) {
		bm_proof_state_put(run->pair.aside[BM_PAIR_SOURCE], run->migration, state,
				parts[which].captured, 0, &err);
	}
	json_decref(state);
	free(why);
	bm_strbuf_finish(&sum.names);
}

void bm_verify_objects_keep(
		struct bm_run *run, enum bm_verify_part which, size_t first, size_t last)
{
	if (run->keeps_states) {
		keep(run, which, run->objects, first, last);
	}
}

/* ---- whether it is to be read ---- */

/* Whether the servers have counted writes since the last look. */
static bool was_written(struct bm_run *run, enum bm_verify_part which, struct part *part)
{
	const char *const both[] = {written_sql, written_sql};
	const char *const params[] = {parts[which].catalogs};
	struct bm_error err = BM_ERROR_INIT;
	PGresult *rows[BM_PAIR_SIDES];
	bool was = false;

	if (parts[which].catalogs == NULL ||
			bm_pair_ask(run->pair.main, both, 1, params, rows, NULL, &err) != 0) {
		return true;
	}
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		const char *now = PQgetvalue(rows[side], 0, 0);
		was = was || part->written[side] == NULL ||
				strcmp(part->written[side], now) != 0;
		free(part->written[side]);
		part->written[side] = bm_strdup(now);
		PQclear(rows[side]);
	}
	return was;
}

static bool is_due(struct bm_run *run, enum bm_verify_part which, struct part *part)
{
	struct bm_verify_beside *beside = run->options->beside;
	bool was = was_written(run, which, part);

	return was || json_object_size(part->suspects) > 0 ||
			beside->is_due(beside->ctx, parts[which].name, false);
}

/* ---- what differs for long enough ---- */

/* It was told already: by a worker that was killed, or to a person. */
static bool was_different(struct bm_run *run, enum bm_verify_part which)
{
	struct bm_proof_states states = {0};
	struct bm_error err = BM_ERROR_INIT;
	bool was = false;

	if (bm_proof_states_read(run->pair.aside[BM_PAIR_SOURCE], run->migration, &states,
			    &err) == 0) {
		const struct bm_proof_state *state = bm_proof_states_find(
				&states, parts[which].name);
		was = state != NULL && state->state == BM_PROOF_DIFFERENT;
	}
	bm_proof_states_finish(&states);
	return was;
}

/* A table that is being added, or that waits: its definition is looked at by others. */
static bool is_of_a_waiting_table(const struct bm_run *run, const json_t *object)
{
	const char *table = json_string_value(json_object_get(object, "table"));

	for (size_t i = 0; table != NULL && i < run->catalog.count; i++) {
		if (strcmp(run->catalog.tables[i].name, table) == 0) {
			return run->catalog.tables[i].problem != NULL;
		}
	}
	return false;
}

static uint64_t confirm_msec(const struct bm_verify_beside *beside)
{
	uint64_t two = 2 * beside->interval_msec;

	return two < CONFIRM_LEAST_MSEC		  ? CONFIRM_LEAST_MSEC
			: two > CONFIRM_MOST_MSEC ? CONFIRM_MOST_MSEC
						  : two;
}

static void set_unproven(json_t *object, const char *because)
{
	char *why = bm_format("%s %s seems to differ, %s", text_of(object, "kind"),
			text_of(object, "name"), because);

	bm_verify_object_set(object, BM_PROOF_UNPROVEN, why);
	free(why);
}

void bm_verify_objects_hold(
		struct bm_run *run, const struct bm_verify_table *table, json_t *object)
{
	const struct bm_verify_beside *beside = run->options->beside;
	uint64_t now = bm_clock_msec();

	if (beside == NULL || beside->objects == NULL || table->problem == NULL ||
			!table->is_different) {
		return;
	}
	char *key = bm_format("%s: %s", table->name, table->problem);
	const json_t *since = json_object_get(beside->objects->tables, key);
	json_int_t first = since != NULL ? json_integer_value(since) : (json_int_t)now;

	json_object_set_new(beside->objects->tables_now, key, json_integer(first));
	if (now - (uint64_t)first < confirm_msec(beside)) {
		char *why = bm_format("%s; it is compared once more", table->problem);
		bm_verify_object_set(object, BM_PROOF_UNPROVEN, why);
		free(why);
	}
	free(key);
}

static void end_pass_of_tables(struct bm_verify_objects *it)
{
	json_decref(it->tables);
	it->tables = it->tables_now;
	it->tables_now = json_object();
}

/* What differs for the first time is not told yet. */
static void confirm(struct bm_run *run, enum bm_verify_part which, struct part *part,
		json_t *objects)
{
	json_t *suspects = json_object(), *object;
	uint64_t now = bm_clock_msec(), least = confirm_msec(run->options->beside);
	size_t index;
	int told = -1;

	json_array_foreach(objects, index, object)
	{
		if (state_of(object) != BM_PROOF_DIFFERENT) {
			continue;
		}
		/* What differs in another way by now differs for the first time. */
		char *key = bm_format("%s %s %.300s %.300s", text_of(object, "kind"),
				text_of(object, "name"), text_of(object, "source"),
				text_of(object, "destination"));
		const json_t *since = json_object_get(part->suspects, key);
		json_int_t first = since != NULL ? json_integer_value(since) : (json_int_t)now;
		json_object_set_new(suspects, key, json_integer(first));
		free(key);
		if (is_of_a_waiting_table(run, object)) {
			set_unproven(object,
					"which is of a table that waits or is being added");
		} else if (now - (uint64_t)first < least) {
			told = told < 0 ? was_different(run, which) : told;
			if (told == 0) {
				set_unproven(object, "which is compared once more");
			}
		}
	}
	json_decref(part->suspects);
	part->suspects = suspects;
}

/* ---- a pass ---- */

/* What only one side has is a matter of definitions, with what a migration leaves out. */
static json_t *without_missing(json_t *objects)
{
	json_t *left = json_array(), *object;
	size_t index;

	json_array_foreach(objects, index, object)
	{
		if (strstr(text_of(object, "why"), "has no such sequence") == NULL) {
			json_array_append(left, object);
		}
	}
	json_decref(objects);
	return left;
}

static json_t *compare(struct bm_run *run, enum bm_verify_part which)
{
	const struct bm_verify_options *options = run->options;
	struct bm_error err = BM_ERROR_INIT;
	json_t *objects = json_array();

	if (which == BM_PART_DEFINITIONS) {
		bm_verify_schema(&run->pair, options, &run->catalog, objects);
	} else if (which == BM_PART_LARGE_OBJECTS) {
		bm_verify_large_objects(&run->pair, options->beside, objects);
	} else if (bm_verify_sequences(&run->pair, options->migration, SEQUENCES_MSEC,
				   options->beside, objects, &err) != 0) {
		json_array_append_new(objects,
				bm_verify_object(parts[which].kind, parts[which].name,
						BM_PROOF_UNPROVEN, err.message));
	}
	return which == BM_PART_SEQUENCES ? without_missing(objects) : objects;
}

static void run_part(struct bm_run *run, enum bm_verify_part which, struct part *part)
{
	struct bm_verify_beside *beside = run->options->beside;
	uint64_t begun_msec = bm_clock_msec();

	if (!is_due(run, which, part)) {
		return;
	}
	json_t *objects = compare(run, which);
	uint64_t took_msec = bm_clock_msec() - begun_msec;
	if (!bm_run_is_ended(run)) {
		confirm(run, which, part, objects);
		keep(run, which, objects, 0, json_array_size(objects));
	}
	json_decref(objects);
	if (!bm_run_is_ended(run)) {
		/* The others have rested, or waited, themselves. */
		beside->is_ended = !beside->rest(
				beside->ctx, which == BM_PART_DEFINITIONS ? took_msec : 0, 0);
	}
}

void bm_verify_objects_pass(struct bm_run *run)
{
	struct bm_verify_beside *beside = run->options->beside;

	if (beside->objects == NULL || run->options->only != NULL || !run->keeps_states) {
		return;
	}
	if (!bm_run_is_ended(run)) {
		end_pass_of_tables(beside->objects);
	}
	for (enum bm_verify_part which = 0; which < BM_PARTS; which++) {
		if (bm_run_is_ended(run) || !bm_run_has_sessions(run)) {
			return;
		}
		run_part(run, which, &beside->objects->parts[which]);
	}
}
