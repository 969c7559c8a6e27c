/* Cutover and failback: the conditions, the steps with their times, and what came of it. */
#include "client/terminal/render.h"

#include <stdio.h>
#include <string.h>

#include "client/terminal/table.h"
#include "client/terminal/text.h"

static void add_condition(struct cli_table *table, const json_t *condition)
{
	const char *state = cli_text_of(condition, "state");
	bool good = strcmp(state, "ready") == 0;
	bool accepted = strcmp(state, "accepted") == 0;

	cli_table_cell(table, CLI_PLAIN, cli_text_of(condition, "name"));
	cli_table_cell(table,
			good			   ? CLI_GOOD
					: accepted ? CLI_BUSY
						   : CLI_BAD,
			strcmp(state, "not_ready") == 0 ? "not ready" : state);
	cli_table_cell(table, CLI_PLAIN, cli_text_of(condition, "value"));
	cli_table_cell(table, CLI_DIM, cli_text_of(condition, "limit"));
	cli_table_note(table, "why", cli_text_of(condition, "why"));
	cli_table_note(table, "do", cli_text_of(condition, "hint"));
}

static void render_conditions(const json_t *conditions, bool colour, struct bm_strbuf *out)
{
	static const struct cli_column columns[] = {
			{"CONDITION", 24, false},
			{"", 10, false},
			{"FOUND", 32, false},
			{"LIMIT", 32, false},
	};
	struct cli_table *table = cli_table_create(columns, 4);
	size_t index;
	const json_t *condition;

	json_array_foreach(conditions, index, condition)
	{
		add_condition(table, condition);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

static void render_steps(const json_t *steps, bool colour, struct bm_strbuf *out)
{
	static const struct cli_column columns[] = {
			{"STEP", 24, false}, {"MS", 8, true}, {"", 48, false}};
	struct cli_table *table = cli_table_create(columns, 3);
	size_t index;
	const json_t *step;
	char msec[24];

	json_array_foreach(steps, index, step)
	{
		snprintf(msec, sizeof(msec), "%lld",
				(long long)json_integer_value(json_object_get(step, "msec")));
		cli_table_cell(table, CLI_PLAIN, cli_text_of(step, "name"));
		cli_table_cell(table, CLI_PLAIN, msec);
		cli_table_cell(table, CLI_DIM, cli_text_of(step, "detail"));
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

static bool is_bad(const json_t *condition)
{
	const char *state = cli_text_of(condition, "state");

	return strcmp(state, "ready") != 0 && strcmp(state, "accepted") != 0;
}

/* All of them in a check; else those that were in the way. */
static json_t *shown_conditions(const json_t *evidence)
{
	bool all = strcmp(cli_text_of(evidence, "mode"), "check") == 0;
	json_t *shown = json_array();
	size_t index;
	json_t *condition;

	json_array_foreach(json_object_get(evidence, "conditions"), index, condition)
	{
		if (all || is_bad(condition)) {
			json_array_append(shown, condition);
		}
	}
	return shown;
}

void cli_render_cutover(const json_t *evidence, bool colour, struct bm_strbuf *out)
{
	json_t *conditions = shown_conditions(evidence);
	const json_t *steps = json_object_get(evidence, "steps");

	if (json_array_size(conditions) > 0) {
		render_conditions(conditions, colour, out);
		bm_strbuf_putc(out, '\n');
	}
	if (json_array_size(steps) > 0) {
		render_steps(steps, colour, out);
		bm_strbuf_putc(out, '\n');
	}
	json_decref(conditions);
}

static long long msec_of(const json_t *evidence, const char *member)
{
	return (long long)json_integer_value(json_object_get(evidence, member));
}

static unsigned count_bad(const json_t *evidence)
{
	unsigned bad = 0;
	size_t index;
	const json_t *condition;

	json_array_foreach(json_object_get(evidence, "conditions"), index, condition)
	{
		bad += is_bad(condition);
	}
	return bad;
}

static void say_done(const char *name, const json_t *evidence, struct bm_strbuf *out)
{
	bool back = strcmp(cli_text_of(evidence, "direction"), "failback") == 0;

	bm_strbuf_printf(out,
			"%s: the %s is the live side now. Writers waited %lld ms; no side was "
			"writable for %lld ms. The %s follows: `bucardo-machine %s %s` goes back, "
			"`bucardo-machine teardown %s` ends the migration.",
			name, back ? "source" : "destination", msec_of(evidence, "freeze_msec"),
			msec_of(evidence, "unwritable_msec"), back ? "destination" : "source",
			back ? "cutover" : "failback", name, name);
}

void cli_render_cutover_result(const char *name, const json_t *evidence, const char *error,
		const char *hint, struct bm_strbuf *out)
{
	const char *result = cli_text_of(evidence, "result");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (strcmp(result, "done") == 0) {
		say_done(name, evidence, &text);
	} else if (strcmp(result, "rehearsed") == 0) {
		bm_strbuf_printf(&text,
				"%s: rehearsed. Writers waited %lld ms; nothing was changed.",
				name, msec_of(evidence, "freeze_msec"));
	} else if (strcmp(result, "ready") == 0) {
		bm_strbuf_printf(&text, "%s: all is ready.", name);
	} else if (error[0] == '\0') {
		bm_strbuf_printf(&text, "%s: not ready; nothing was changed. ", name);
		bm_strbuf_printf(&text,
				count_bad(evidence) == 1 ? "%u condition is in the way."
							 : "%u conditions are in the way.",
				count_bad(evidence));
	} else {
		bm_strbuf_printf(&text, "%s: not done, and nothing has changed: %s%s%s", name,
				error, hint[0] != '\0' ? "; " : "", hint);
	}
	cli_text_wrapped(bm_strbuf_text(&text), 0, 0, out);
	bm_strbuf_finish(&text);
}

/* ---- under the row of a migration ---- */

/* "2026-11-29T06:54:05Z" as people read it; "?" when it is not known. */
static void print_moment(const char *at, struct bm_strbuf *out)
{
	if (strlen(at) > 19) {
		bm_strbuf_printf(out, "%.10s %.8s UTC", at, at + 11);
	} else {
		bm_strbuf_putc(out, '?');
	}
}

void cli_render_changing(struct cli_table *table, const json_t *migration)
{
	const json_t *changing = json_object_get(migration, "cutover");
	bool under_way = json_is_true(json_object_get(changing, "under_way"));
	const char *error = cli_text_of(changing, "error"),
		   *hint = cli_text_of(changing, "hint");
	bool rehearses = strcmp(cli_text_of(changing, "mode"), "rehearse") == 0;
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (under_way) {
		bm_strbuf_printf(&text, "%sunder way, asked for by %s at ",
				rehearses ? "a rehearsal is " : "",
				cli_text_of(changing, "by"));
		print_moment(cli_text_of(changing, "asked_at"), &text);
	} else if (error[0] != '\0') {
		bm_strbuf_printf(&text, "the last %s was not done (",
				rehearses ? "rehearsal" : "attempt");
		print_moment(cli_text_of(changing, "ended_at"), &text);
		bm_strbuf_printf(&text, "): %s%s%s", error, hint[0] != '\0' ? "; hint: " : "",
				hint);
	}
	cli_table_note(table, cli_text_of(changing, "direction"), bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}
