/* The answer of `plan` on the screen. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "bucardo_machine/migrate.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

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

/* Those that are done have nothing more to say than that. */
static void add_done(const json_t *phases, struct bm_strbuf *out)
{
	struct bm_strbuf done = BM_STRBUF_INIT;
	size_t index;
	const json_t *entry;

	json_array_foreach(phases, index, entry)
	{
		if (strcmp(cli_text_of(entry, "state"), "done") == 0) {
			bm_strbuf_printf(&done, "%s%s", done.length > 0 ? ", " : "",
					cli_text_of(entry, "phase"));
		}
	}
	if (done.length > 0) {
		bm_strbuf_puts(out, "  done: ");
		cli_text_wrapped(bm_strbuf_text(&done), 8, 8, out);
	}
	bm_strbuf_finish(&done);
}

void cli_render_plan(const json_t *status, const char *name, struct bm_strbuf *out)
{
	const json_t *migration = cli_text_named(json_object_get(status, "migrations"), name);
	const char *until = cli_text_of(migration, "until");
	const json_t *phases = json_object_get(migration, "phases");
	bool beyond = false;
	size_t index;
	const json_t *entry;

	if (migration != NULL && cli_text_of(migration, "phase")[0] == '\0') {
		bm_strbuf_printf(out,
				"Migration %s: how far it came is not known yet, it waits for the "
				"control database\n",
				name);
		return;
	}
	bm_strbuf_printf(out, "Migration %s, by itself until %s:\n", name, until);
	add_done(phases, out);
	json_array_foreach(phases, index, entry)
	{
		if (strcmp(cli_text_of(entry, "state"), "done") != 0) {
			add_phase(entry, beyond, out);
		}
		beyond = beyond || strcmp(cli_text_of(entry, "phase"), until) == 0;
	}
	if (strcmp(until, bm_phase_name(BM_PHASE_COUNT - 1)) != 0) {
		struct bm_strbuf asked = BM_STRBUF_INIT;
		bm_strbuf_printf(&asked,
				"(asked: begins only with `bucardo-machine migrate %s`)", name);
		bm_strbuf_puts(out, "  ");
		cli_text_wrapped(bm_strbuf_text(&asked), 2, 2, out);
		bm_strbuf_finish(&asked);
	}
}

/* ---- what would be done ---- */

static int64_t number_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

static void print_bytes(const json_t *object, const char *member, struct bm_strbuf *out)
{
	bm_words_size(out, number_of(object, member));
}

static const struct cli_column size_columns[] = {
		{"  TABLE", 0, false},
		{"SIZE", 0, true},
		{"INDEXES", 0, true},
		{"ROWS", 0, true},
		{"CHUNKS", 0, true},
};

static void add_amount_cell(
		struct cli_table *table, const json_t *object, const char *member, bool bytes)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (!json_is_integer(json_object_get(object, member))) {
		bm_strbuf_putc(&text, '-');
	} else if (bytes) {
		print_bytes(object, member, &text);
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
		if (number_of(entry, "bytes") == 0 && index > 0) {
			rest++;
			continue;
		}
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
		bm_strbuf_puts(out, "  and ");
		bm_words_count(out, rest, "smaller one", NULL);
		bm_strbuf_putc(out, '\n');
	}
}

static void add_foreign_keys(const json_t *plan, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (number_of(plan, "foreign_keys") > 0) {
		bm_strbuf_puts(&text, "Foreign keys: ");
		bm_words_count(&text, number_of(plan, "foreign_keys"), "constraint", NULL);
		bm_strbuf_puts(&text,
				json_is_true(json_object_get(plan, "trusts_keys"))
						? ", made on empty tables, which checks no row; "
						  "`verify` proves the rows before the cut-over"
						: ", made after the rows, which checks each of them");
		cli_text_wrapped(bm_strbuf_text(&text), 0, 2, out);
	}
	bm_strbuf_finish(&text);
}

static void add_sizes(const json_t *plan, struct bm_strbuf *out)
{
	const json_t *tables = json_object_get(plan, "tables");
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_puts(&text, "What would be moved: ");
	bm_words_count(&text, number_of(tables, "count"), "table", NULL);
	bm_strbuf_puts(&text, ", ");
	print_bytes(tables, "bytes", &text);
	bm_strbuf_puts(&text, " of rows and ");
	print_bytes(tables, "index_bytes", &text);
	bm_strbuf_puts(&text, " of indexes, in ");
	bm_words_count(&text, number_of(plan, "chunks"), "chunk", NULL);
	bm_strbuf_puts(&text, " by ");
	bm_words_count(&text, number_of(plan, "jobs"), "connection", NULL);
	if (number_of(plan, "max_rate") > 0) {
		bm_strbuf_puts(&text, ", not faster than ");
		bm_words_rate(&text, (double)number_of(plan, "max_rate"), "byte");
	}
	if (number_of(plan, "kill_bytes") > 0) {
		bm_strbuf_puts(&text, "; a kill costs at most ");
		print_bytes(plan, "kill_bytes", &text);
		bm_strbuf_puts(&text, ", which are copied again");
	}
	bm_strbuf_putc(out, '\n');
	cli_text_wrapped(bm_strbuf_text(&text), 0, 2, out);
	bm_strbuf_finish(&text);
	add_biggest(tables, out);
	add_foreign_keys(plan, out);
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
		bm_words_rate(out, (double)number_of(estimate, member), "byte");
		bm_strbuf_printf(out, " %s", what);
	}
}

static void add_measured(const json_t *estimate, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (number_of(estimate, "sample_bytes") > 0) {
		bm_strbuf_puts(&text, "measured on one connection with ");
		print_bytes(estimate, "sample_bytes", &text);
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
		bm_strbuf_printf(out, "  %s, %s: %s\n", cli_text_of(lock, "side"),
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
