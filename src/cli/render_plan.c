/* The answer of `plan` on the screen. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "bucardo_machine/migrate.h"
#include "cli/render.h"
#include "cli/text.h"

/* ---- phases ---- */

/* The phases beyond `until` begin only when a person says so. */
static void add_phase(const json_t *entry, bool beyond, struct bm_strbuf *out)
{
	const char *state = cli_text_of(entry, "state");
	enum bm_phase phase;

	if (!bm_phase_parse(cli_text_of(entry, "phase"), &phase)) {
		return;
	}
	bool far = beyond && strcmp(state, "pending") == 0;
	bm_strbuf_printf(out, "  %-10s %-8s ", bm_phase_name(phase), far ? "asked" : state);
	cli_text_wrapped(bm_phase_comment(phase), 22, 22, out);
	if (bm_phase_undo(phase)[0] != '\0') {
		bm_strbuf_printf(out, "%*staken back: ", 22, "");
		cli_text_wrapped(bm_phase_undo(phase), 34, 24, out);
	}
}

void cli_render_plan(const json_t *status, const char *name, struct bm_strbuf *out)
{
	const json_t *migration = cli_text_named(json_object_get(status, "migrations"), name);
	const char *until = cli_text_of(migration, "until");
	bool beyond = false;
	size_t index;
	const json_t *entry;

	bm_strbuf_printf(out, "Migration %s, by itself until %s:\n", name, until);
	json_array_foreach(json_object_get(migration, "phases"), index, entry)
	{
		add_phase(entry, beyond, out);
		beyond = beyond || strcmp(cli_text_of(entry, "phase"), until) == 0;
	}
	if (strcmp(until, bm_phase_name(BM_PHASE_COUNT - 1)) != 0) {
		bm_strbuf_printf(out,
				"  (asked: begins only with `bucardo-machine migrate %s`)\n",
				name);
	}
}

void cli_render_finding(const char *severity, const char *object, const char *why,
		const char *mend, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_printf(&text, "%s%s%s", object, object[0] != '\0' ? ": " : "", why);
	bm_strbuf_printf(out, "  %-8s ", severity);
	cli_text_wrapped(bm_strbuf_text(&text), 11, 11, out);
	if (mend[0] != '\0') {
		bm_strbuf_printf(out, "  %8s ", "mend:");
		cli_text_wrapped(mend, 11, 11, out);
	}
	bm_strbuf_finish(&text);
}

/* Members are the worker's; what is no single value is for --json. */
void cli_render_evidence(const json_t *evidence, struct bm_strbuf *out)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)evidence, key, value)
	{
		bm_strbuf_puts(out, "  ");
		cli_text_harmless(key, 0, out);
		bm_strbuf_puts(out, ": ");
		if (json_is_string(value)) {
			cli_text_wrapped(json_string_value(value), 4 + strlen(key), 4, out);
		} else if (json_is_integer(value)) {
			bm_words_number(out, json_integer_value(value));
			bm_strbuf_putc(out, '\n');
		} else if (json_is_array(value)) {
			bm_strbuf_printf(out, "%zu\n", json_array_size(value));
		} else {
			bm_strbuf_printf(out, "%s\n",
					json_is_true(value)		       ? "yes"
							: json_is_false(value) ? "no"
									       : "see --json");
		}
	}
}

/* ---- what would be done ---- */

static int64_t number_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

static void say_bytes(const json_t *object, const char *member, struct bm_strbuf *out)
{
	cli_text_amount(number_of(object, member), "bytes", out);
}

static const struct cli_column size_columns[] = {
		{"  TABLE", 48, false},
		{"SIZE", 10, true},
		{"INDEXES", 10, true},
		{"ROWS", 16, true},
		{"CHUNKS", 8, true},
};

static void add_amount_cell(
		struct cli_table *table, const json_t *object, const char *member, bool bytes)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (!json_is_integer(json_object_get(object, member))) {
		bm_strbuf_putc(&text, '-');
	} else if (bytes) {
		say_bytes(object, member, &text);
	} else {
		bm_words_number(&text, number_of(object, member));
	}
	cli_table_cell(table, CLI_PLAIN, bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

static void add_biggest(const json_t *tables, struct bm_strbuf *out)
{
	const json_t *biggest = json_object_get(tables, "biggest");
	struct cli_table *table = cli_table_create(size_columns, BM_COUNT_OF(size_columns));
	int64_t rest = number_of(tables, "count") - (int64_t)json_array_size(biggest);
	size_t index;
	const json_t *entry;

	json_array_foreach(biggest, index, entry)
	{
		struct bm_strbuf name = BM_STRBUF_INIT;
		bm_strbuf_printf(&name, "  %s", cli_text_of(entry, "name"));
		cli_table_cell(table, CLI_PLAIN, bm_strbuf_text(&name));
		bm_strbuf_finish(&name);
		add_amount_cell(table, entry, "bytes", true);
		add_amount_cell(table, entry, "index_bytes", true);
		add_amount_cell(table, entry, "rows", false);
		add_amount_cell(table, entry, "chunks", false);
	}
	cli_table_print(table, false, out);
	cli_table_destroy(table);
	if (rest > 0) {
		bm_strbuf_printf(out, "  and %lld smaller ones\n", (long long)rest);
	}
}

static void add_sizes(const json_t *plan, struct bm_strbuf *out)
{
	const json_t *tables = json_object_get(plan, "tables");

	bm_strbuf_puts(out, "\nWhat would be moved: ");
	cli_text_amount(number_of(tables, "count"), "tables, ", out);
	say_bytes(tables, "bytes", out);
	bm_strbuf_puts(out, " of rows and ");
	say_bytes(tables, "index_bytes", out);
	bm_strbuf_puts(out, " of indexes,\n  in ");
	cli_text_amount(number_of(plan, "chunks"), "chunks", out);
	bm_strbuf_printf(out, " by %lld connections", (long long)number_of(plan, "jobs"));
	if (number_of(plan, "max_rate") > 0) {
		bm_strbuf_puts(out, ", not faster than ");
		say_bytes(plan, "max_rate", out);
		bm_strbuf_puts(out, "/s");
	}
	bm_strbuf_puts(out, "\n");
	add_biggest(tables, out);
}

static const char *seconds(const json_t *msec, char span[BM_CLOCK_TEXT_SIZE])
{
	uint64_t rounded = ((uint64_t)json_integer_value(msec) + 999) / 1000 * 1000;

	return bm_clock_format_span(rounded > 0 ? rounded : 1000, span);
}

static void add_time(const char *what, const json_t *range, struct bm_strbuf *out)
{
	char low[BM_CLOCK_TEXT_SIZE], high[BM_CLOCK_TEXT_SIZE];

	if (json_is_array(range)) {
		seconds(json_array_get(range, 0), low);
		seconds(json_array_get(range, 1), high);
		bool same = strcmp(low, high) == 0;
		bm_strbuf_printf(out, "  %-6s %s%s%s\n", what, same ? "about " : low,
				same ? "" : " to ", high);
	} else {
		bm_strbuf_printf(out, "  %-6s not known\n", what);
	}
}

static void add_rate(const json_t *estimate, const char *member, const char *what,
		struct bm_strbuf *out)
{
	if (number_of(estimate, member) > 0) {
		bm_strbuf_puts(out, ", ");
		say_bytes(estimate, member, out);
		bm_strbuf_printf(out, "/s %s", what);
	}
}

static void add_measured(const json_t *estimate, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (number_of(estimate, "sample_bytes") > 0) {
		bm_strbuf_puts(&text, "measured on one connection with ");
		say_bytes(estimate, "sample_bytes", &text);
		bm_strbuf_puts(&text, " of the biggest table");
		add_rate(estimate, "read_rate", "read", &text);
		add_rate(estimate, "write_rate", "written", &text);
		add_rate(estimate, "index_rate", "indexed", &text);
	}
	if (cli_text_of(estimate, "why")[0] != '\0') {
		bm_strbuf_printf(&text, "%snot all was measured: %s",
				text.length > 0 ? "; " : "", cli_text_of(estimate, "why"));
	}
	if (text.length > 0) {
		bm_strbuf_puts(out, "  ");
		cli_text_wrapped(bm_strbuf_text(&text), 2, 2, out);
	}
	bm_strbuf_finish(&text);
}

static void add_estimate(const json_t *plan, struct bm_strbuf *out)
{
	const json_t *estimate = json_object_get(plan, "estimate");

	bm_strbuf_puts(out, "\nHow long, from best to worst:\n");
	add_time("copy", json_object_get(estimate, "copy_msec"), out);
	add_time("index", json_object_get(estimate, "index_msec"), out);
	add_measured(estimate, out);
}

static void add_locks(const json_t *plan, struct bm_strbuf *out)
{
	size_t index;
	const json_t *lock;

	bm_strbuf_puts(out, "\nLocks that are taken:\n");
	json_array_foreach(json_object_get(plan, "locks"), index, lock)
	{
		struct bm_strbuf text = BM_STRBUF_INIT;
		bm_strbuf_printf(out, "  %s, %s: %s\n", cli_text_of(lock, "end"),
				cli_text_of(lock, "phase"), cli_text_of(lock, "mode"));
		bm_strbuf_printf(&text, "by %s; keeps off %s; %s",
				cli_text_of(lock, "statement"), cli_text_of(lock, "blocks"),
				cli_text_of(lock, "longest"));
		bm_strbuf_puts(out, "    ");
		cli_text_wrapped(bm_strbuf_text(&text), 4, 4, out);
		bm_strbuf_finish(&text);
	}
}

static void add_left(const json_t *plan, struct bm_strbuf *out)
{
	size_t index;
	const json_t *item;

	bm_strbuf_puts(out, "\nWhat is not migrated, or not kept in step:\n");
	json_array_foreach(json_object_get(plan, "left"), index, item)
	{
		const char *names = cli_text_of(item, "names");
		struct bm_strbuf text = BM_STRBUF_INIT;
		bm_strbuf_puts(&text, cli_text_of(item, "what"));
		if (names[0] != '\0') {
			bm_strbuf_printf(&text, " (%lld: %s%s)",
					(long long)number_of(item, "count"), names,
					number_of(item, "count") > 5 ? ", ..." : "");
		}
		bm_strbuf_printf(&text, ": %s", cli_text_of(item, "why"));
		bm_strbuf_puts(out, "  ");
		cli_text_wrapped(bm_strbuf_text(&text), 2, 4, out);
		bm_strbuf_finish(&text);
	}
}

void cli_render_outlook(const json_t *plan, struct bm_strbuf *out)
{
	add_sizes(plan, out);
	add_estimate(plan, out);
	add_locks(plan, out);
	add_left(plan, out);
}
