#include "worker/reconcile/verify_news.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/protocol/report.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"

/* Tables that are named, of each list; a line has an end. */
#define NAMED 20

static bool is_news(const struct bm_proof_state *state)
{
	return state->state == BM_PROOF_DIFFERENT && state->captured &&
			state->missing + state->extra + state->changed > 0;
}

/* An index of one side alone may be meant: it is told, and replication is as well as before.
 * What breaks runs pauses its table by itself. */
static bool is_trouble(const struct bm_proof_state *state)
{
	return is_news(state) && strcmp(state->kind, "schema") != 0;
}

static int64_t rows_of(const struct bm_proof_state *state)
{
	return state->missing + state->extra + state->changed;
}

size_t bm_verify_tables(const struct bm_proof_states *states)
{
	size_t count = 0;

	for (size_t i = 0; i < states->count; i++) {
		count += states->list[i].is_table;
	}
	return count;
}

/* "table public.t"; "definitions", "sequences", "large objects". */
static const char *label_of(const struct bm_proof_state *state)
{
	return state->is_table || strcmp(state->kind, "schema") == 0 ? state->name
								     : state->kind;
}

static char *trouble_of(const struct bm_proof_state *state)
{
	if (!state->is_table) {
		return bm_format("%s differ: %s", label_of(state), state->why);
	}
	int64_t rows = rows_of(state);

	return bm_format("%" PRId64 " row%s of table %s differ%s", rows, rows == 1 ? "" : "s",
			state->name, rows == 1 ? "s" : "");
}

static char *hint_of(const char *migration, const struct bm_proof_state *state)
{
	if (!state->is_table) {
		return bm_format(
				"`bucardo-machine verify %s` shows all that differs, with the "
				"SQL that makes it equal where there is some; once it is, this "
				"goes by itself",
				migration);
	}
	return bm_format(
			"`bucardo-machine verify %s --table '%s'` shows which, and with --repair "
			"sends them again",
			migration, state->name);
}

/* ---- how much is proven ---- */

/* The part of a table that was proven; what changed since is read again. */
static double share_of(const struct bm_proof_state *state)
{
	if (state->state == BM_PROOF_EQUAL ||
			(state->state == BM_PROOF_IN_FLIGHT && state->in_flight > 0)) {
		return 1;
	}
	return state->ranges > 0 ? (double)state->ranges_proven / (double)state->ranges : 0;
}

static void put_percent(const struct bm_proof_states *states, json_t *evidence)
{
	double all = 0, proven = 0;
	bool is_all = true;

	for (size_t i = 0; i < states->count; i++) {
		if (!states->list[i].is_table) {
			continue;
		}
		double share = share_of(&states->list[i]);
		/* An empty table is one too. */
		double weight = (double)states->list[i].bytes + 1;
		all += weight;
		proven += weight * share;
		is_all = is_all && share >= 1;
	}
	int percent = all > 0 ? (int)(100 * proven / all) : 0;
	percent = !is_all && percent > 99 ? 99 : percent;
	json_object_set_new(evidence, "percent",
			bm_verify_tables(states) > 0 ? json_integer(is_all ? 100 : percent)
						     : json_null());
}

static json_t *time_or_null(const char *time)
{
	return time[0] != '\0' ? json_string(time) : json_null();
}

static const char *earlier(const char *a, const char *b)
{
	return a[0] == '\0' || (b[0] != '\0' && strcmp(b, a) < 0) ? b : a;
}

struct totals {
	int64_t waiting, ranges, proven, changed, missing, extra, wrong;
};

static void add_totals(struct totals *sum, const struct bm_proof_state *state)
{
	sum->waiting += state->is_waiting;
	sum->ranges += state->ranges;
	sum->proven += state->ranges_proven;
	sum->changed += state->ranges_changed;
	sum->missing += state->missing;
	sum->extra += state->extra;
	sum->wrong += state->changed;
}

static void put_totals(const struct totals *sum, json_t *evidence)
{
	const struct {
		const char *name;
		int64_t value;
	} members[] = {{"waiting", sum->waiting}, {"ranges", sum->ranges},
			{"ranges_proven", sum->proven}, {"ranges_changed", sum->changed},
			{"rows_missing", sum->missing}, {"rows_extra", sum->extra},
			{"rows_changed", sum->wrong},
			{"rows_different", sum->missing + sum->extra + sum->wrong}};

	for (size_t i = 0; i < BM_COUNT_OF(members); i++) {
		json_object_set_new(evidence, members[i].name,
				json_integer((json_int_t)members[i].value));
	}
}

static void put_numbers(const struct bm_proof_states *states, json_t *evidence)
{
	int64_t counts[BM_PROOF_COUNT] = {0};
	struct totals sum = {0};
	const char *oldest = "", *in_flight = "";

	for (size_t i = 0; i < states->count; i++) {
		const struct bm_proof_state *state = &states->list[i];
		if (!state->is_table) {
			continue;
		}
		counts[state->state] += !state->is_waiting;
		add_totals(&sum, state);
		oldest = earlier(oldest, state->oldest);
		if (state->state == BM_PROOF_IN_FLIGHT) {
			in_flight = earlier(in_flight, state->since);
		}
	}
	json_object_set_new(
			evidence, "tables", json_integer((json_int_t)bm_verify_tables(states)));
	for (enum bm_proof proof = 0; proof < BM_PROOF_COUNT; proof++) {
		json_object_set_new(evidence, bm_proof_name(proof),
				json_integer((json_int_t)counts[proof]));
	}
	put_totals(&sum, evidence);
	json_object_set_new(evidence, "oldest_proof", time_or_null(oldest));
	json_object_set_new(evidence, "in_flight_since", time_or_null(in_flight));
}

/* ---- what is not ---- */

static json_t *rows_named(const json_t *rows, const char *table)
{
	json_t *list = json_array();
	size_t index;
	const json_t *row;

	json_array_foreach(rows, index, row)
	{
		const char *name = json_string_value(json_object_get(row, "table"));
		if (name != NULL && strcmp(name, table) == 0) {
			json_t *one = json_copy((json_t *)(uintptr_t)row);
			json_object_del(one, "table");
			json_array_append_new(list, one);
		}
	}
	return list;
}

static json_t *difference_of(const struct bm_proof_state *state, const json_t *rows)
{
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:b, s:o, s:o, s:o}", "table",
			bm_json_text(label_of(state)), "why", bm_json_text(state->why),
			"missing", (json_int_t)state->missing, "extra",
			(json_int_t)state->extra, "changed",
			(json_int_t)(state->is_table ? state->changed : 0), "replicated",
			(int)state->captured, "since", time_or_null(state->since), "at",
			time_or_null(state->at), "rows", rows_named(rows, state->name));
}

static void put_lists(
		const struct bm_proof_states *states, const json_t *rows, json_t *evidence)
{
	json_t *differences = json_array(), *unproven = json_array();

	for (size_t i = 0; i < states->count; i++) {
		const struct bm_proof_state *state = &states->list[i];
		if (state->state == BM_PROOF_DIFFERENT &&
				json_array_size(differences) < NAMED) {
			json_array_append_new(differences, difference_of(state, rows));
		}
		if (state->state == BM_PROOF_UNPROVEN && !state->is_waiting &&
				json_array_size(unproven) < NAMED) {
			json_array_append_new(unproven,
					json_pack("{s:o, s:o}", "table",
							bm_json_text(label_of(state)), "why",
							bm_json_text(state->why)));
		}
	}
	json_object_set_new(evidence, "differences", differences);
	json_object_set_new(evidence, "not_proven", unproven);
}

/* [{"kind": "definitions", "state": "equal", "why": "", "differ": 0, "since": ..., "at": ...}]
 */
static void put_objects(const struct bm_proof_states *states, json_t *evidence)
{
	json_t *list = json_array();

	for (size_t i = 0; i < states->count; i++) {
		const struct bm_proof_state *state = &states->list[i];
		if (!state->is_table) {
			json_array_append_new(list,
					json_pack("{s:s, s:s, s:o, s:I, s:o, s:o}", "kind",
							label_of(state), "state",
							bm_proof_name(state->state), "why",
							bm_json_text(state->why), "differ",
							(json_int_t)state->changed, "since",
							time_or_null(state->since), "at",
							time_or_null(state->at)));
		}
	}
	json_object_set_new(evidence, "objects", list);
}

static void put_trouble(
		const char *migration, const struct bm_proof_states *states, json_t *evidence)
{
	for (size_t i = 0; i < states->count; i++) {
		if (is_trouble(&states->list[i])) {
			char *trouble = trouble_of(&states->list[i]);
			char *hint = hint_of(migration, &states->list[i]);
			json_object_set_new(evidence, "trouble", bm_json_text(trouble));
			json_object_set_new(evidence, "hint", bm_json_text(hint));
			free(trouble);
			free(hint);
			return;
		}
	}
}

void bm_verify_report(const char *migration, const struct bm_proof_states *states,
		const json_t *rows, json_t *evidence)
{
	json_object_clear(evidence);
	put_percent(states, evidence);
	put_numbers(states, evidence);
	put_lists(states, rows, evidence);
	put_objects(states, evidence);
	put_trouble(migration, states, evidence);
}

/* ---- news ---- */

static bool was_news(const struct bm_proof_states *before, const char *name)
{
	const struct bm_proof_state *state = bm_proof_states_find(before, name);

	return state != NULL && is_news(state);
}

void bm_verify_report_news(const char *migration, const struct bm_proof_states *before,
		const struct bm_proof_states *now)
{
	for (size_t i = 0; i < now->count; i++) {
		const struct bm_proof_state *state = &now->list[i];
		bool was = was_news(before, state->name);
		if (is_news(state) && !was) {
			char *why = trouble_of(state), *hint = hint_of(migration, state);
			bm_report_finding(BM_SEVERITY_DEGRADES, "verify", why, hint);
			free(why);
			free(hint);
		} else if (was && state->state == BM_PROOF_EQUAL) {
			bm_report_note("verify: %s%s %s equal again",
					state->is_table ? "table " : "", label_of(state),
					state->is_table ? "is" : "are");
		}
	}
}
