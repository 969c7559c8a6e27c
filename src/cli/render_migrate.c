/* Migrations on the screen: in `status`, and in `plan`. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "cli/render.h"

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

/* ---- amounts ---- */

/* "1.2 GB" for bytes, "1,234 rows" for the rest. */
static void say_amount(int64_t amount, const char *unit, struct bm_strbuf *out)
{
	static const char *const sizes[] = {"bytes", "kB", "MB", "GB", "TB"};
	double left = (double)amount;
	size_t i = 0;

	if (strcmp(unit, "bytes") != 0) {
		cli_render_number(amount, out);
		bm_strbuf_printf(out, " %s", unit);
		return;
	}
	for (; left >= 1024 && i + 1 < BM_COUNT_OF(sizes); i++) {
		left /= 1024;
	}
	bm_strbuf_printf(out, i == 0 ? "%.0f %s" : "%.1f %s", left, sizes[i]);
}

static void say_progress(const json_t *progress, struct bm_strbuf *out)
{
	const json_t *percent = json_object_get(progress, "percent");
	const json_t *total = json_object_get(progress, "total");
	const json_t *rate = json_object_get(progress, "rate");
	const char *unit = text_of(progress, "unit");
	char span[BM_CLOCK_TEXT_SIZE];

	say_amount(json_integer_value(json_object_get(progress, "done")), unit, out);
	if (json_is_integer(total)) {
		bm_strbuf_puts(out, " of ");
		say_amount(json_integer_value(total), unit, out);
		bm_strbuf_printf(out, ", %lld %%", (long long)json_integer_value(percent));
	}
	if (json_is_integer(rate)) {
		bm_strbuf_puts(out, ", ");
		say_amount(json_integer_value(rate), unit, out);
		bm_strbuf_puts(out, "/s");
	}
	if (json_is_integer(json_object_get(progress, "eta_msec"))) {
		bm_strbuf_printf(out, ", done in %s", cli_span_of(progress, "eta_msec", span));
	}
}

/* ---- status ---- */

static const struct cli_column columns[] = {
		{"MIGRATION", 31, false},
		{"PHASE", 10, false},
		{"STATUS", 8, false},
		{"FOR", 16, false},
		{"UNTIL", 10, false},
		{"PROGRESS", 8, true},
};

static void add_findings(struct cli_table *table, const json_t *migration)
{
	const json_t *findings = json_object_get(migration, "findings");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (json_array_size(findings) > 0) {
		bm_strbuf_printf(&text,
				"%zu of preflight; `bucardo-machine plan %s` shows them",
				json_array_size(findings), text_of(migration, "name"));
		cli_table_note(table, "findings", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

static void add_notes(struct cli_table *table, const json_t *migration)
{
	const json_t *progress = json_object_get(migration, "progress");
	char span[BM_CLOCK_TEXT_SIZE];
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (strcmp(text_of(migration, "status"), "running") == 0) {
		say_progress(progress, &text);
		cli_table_note(table, "so far", bm_strbuf_text(&text));
		bm_strbuf_clear(&text);
		cli_table_note(table, "now", text_of(progress, "text"));
	}
	cli_table_note(table, "why", text_of(migration, "why"));
	cli_table_note(table, "mend", text_of(migration, "mend"));
	if (json_is_integer(json_object_get(migration, "retry_in_msec"))) {
		bm_strbuf_printf(&text, "in %s (failed %lld times in a row)",
				cli_span_of(migration, "retry_in_msec", span),
				(long long)json_integer_value(
						json_object_get(migration, "attempt")));
		cli_table_note(table, "next try", bm_strbuf_text(&text));
	}
	add_findings(table, migration);
	bm_strbuf_finish(&text);
}

static void add_migration(struct cli_table *table, const json_t *migration)
{
	const json_t *percent = json_object_get(
			json_object_get(migration, "progress"), "percent");
	const char *status = text_of(migration, "status");
	char span[BM_CLOCK_TEXT_SIZE], text[16] = "";

	if (json_is_integer(percent)) {
		snprintf(text, sizeof(text), "%lld %%", (long long)json_integer_value(percent));
	}
	cli_table_cell(table, CLI_PLAIN, text_of(migration, "name"));
	cli_table_cell(table, CLI_PLAIN, text_of(migration, "phase"));
	cli_table_cell(table, cli_tint_of(status), status);
	cli_table_cell(table, CLI_PLAIN, cli_span_of(migration, "age_msec", span));
	cli_table_cell(table, CLI_PLAIN, text_of(migration, "until"));
	cli_table_cell(table, CLI_PLAIN, text);
	add_notes(table, migration);
}

void cli_render_migrations(const json_t *migrations, bool colour, struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(columns, BM_COUNT_OF(columns));
	size_t index;
	const json_t *migration;

	json_array_foreach(migrations, index, migration)
	{
		add_migration(table, migration);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}

/* ---- plan ---- */

static const json_t *find_migration(const json_t *status, const char *name)
{
	size_t index;
	const json_t *migration;

	json_array_foreach(json_object_get(status, "migrations"), index, migration)
	{
		if (strcmp(text_of(migration, "name"), name) == 0) {
			return migration;
		}
	}
	return NULL;
}

/* The phases beyond `until` begin only when a person says so. */
static void add_phase(const json_t *entry, bool beyond, struct bm_strbuf *out)
{
	const char *state = text_of(entry, "state");
	enum bm_phase phase;

	if (!bm_phase_parse(text_of(entry, "phase"), &phase)) {
		return;
	}
	bool far = beyond && strcmp(state, "pending") == 0;
	bm_strbuf_printf(out, "  %-10s %-8s ", bm_phase_name(phase), far ? "asked" : state);
	cli_render_wrapped(bm_phase_comment(phase), 22, 22, out);
}

void cli_render_plan(const json_t *status, const char *name, struct bm_strbuf *out)
{
	const json_t *migration = find_migration(status, name);
	const char *until = text_of(migration, "until");
	bool beyond = false;
	size_t index;
	const json_t *entry;

	bm_strbuf_printf(out, "Migration %s, by itself until %s:\n", name, until);
	json_array_foreach(json_object_get(migration, "phases"), index, entry)
	{
		add_phase(entry, beyond, out);
		beyond = beyond || strcmp(text_of(entry, "phase"), until) == 0;
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
	cli_render_wrapped(bm_strbuf_text(&text), 11, 11, out);
	if (mend[0] != '\0') {
		bm_strbuf_printf(out, "  %8s ", "mend:");
		cli_render_wrapped(mend, 11, 11, out);
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
		cli_harmless(key, 0, out);
		bm_strbuf_puts(out, ": ");
		if (json_is_string(value)) {
			cli_render_wrapped(json_string_value(value), 4 + strlen(key), 4, out);
		} else if (json_is_integer(value)) {
			cli_render_number(json_integer_value(value), out);
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
