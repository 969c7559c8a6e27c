/* Migrations on the screen of `status`. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "bucardo_machine/migrate.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

/* ---- status ---- */

static const struct cli_column columns[] = {
		{"MIGRATION", 0, false},
		{"STATE", 0, false},
		{"FOR", 0, false},
		{"PROGRESS", 0, false},
};

#define STOPS_SHOWN 5

/* Lines about what is NOT in step, or what the doctor found, in short; one where there are many
 * migrations. */
#define APART_SHOWN 3
#define MANY 3

/* What keeps it from going on, and the fix. */
static void add_stops(struct cli_table *table, const json_t *findings)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index, shown = 0;
	const json_t *finding;

	json_array_foreach(findings, index, finding)
	{
		if (strcmp(cli_text_of(finding, "severity"), "stops") == 0 &&
				++shown <= STOPS_SHOWN) {
			const char *hint = cli_text_of(finding, "hint");
			bm_strbuf_clear(&text);
			bm_strbuf_printf(&text, "%s: %s%s%s", cli_text_of(finding, "object"),
					cli_text_of(finding, "why"),
					hint[0] != '\0' ? "; hint: " : "", hint);
			cli_table_note(table, "stops", bm_strbuf_text(&text));
		}
	}
	if (shown > STOPS_SHOWN) {
		bm_strbuf_clear(&text);
		bm_strbuf_printf(&text, "and %zu more", shown - STOPS_SHOWN);
		cli_table_note(table, "stops", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

static void add_findings(struct cli_table *table, const json_t *migration)
{
	const json_t *findings = json_object_get(migration, "findings");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (strcmp(cli_text_of(migration, "phase"), "preflight") == 0) {
		add_stops(table, findings);
	}
	if (json_array_size(findings) > 0) {
		size_t count = json_array_size(findings), told = cli_finding_groups(findings);
		bm_strbuf_printf(&text, "%zu of preflight; `bucardo-machine plan %s` shows %s",
				count, cli_text_of(migration, "name"),
				count == 1 ? "it" : "them");
		if (told < count) {
			bm_strbuf_printf(&text, ", equal ones together: %zu %s", told,
					told == 1 ? "paragraph" : "paragraphs");
		}
		cli_table_note(table, "findings", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

/* ---- its state ---- */

/* Where it is; one that is done has ended with its last phase, the next is not asked for. */
static const char *phase_shown(const json_t *migration, const char *status)
{
	const char *shown = cli_text_of(migration, "phase");
	size_t index;
	const json_t *phase;

	json_array_foreach(json_object_get(migration, "phases"), index, phase)
	{
		if (strcmp(status, "done") == 0 &&
				strcmp(cli_text_of(phase, "state"), "done") == 0) {
			shown = cli_text_of(phase, "phase");
		}
	}
	return shown;
}

static bool is_status(const json_t *migration, const char *status)
{
	return strcmp(cli_text_of(migration, "status"), status) == 0;
}

static bool is_leaving(const json_t *migration)
{
	return strcmp(cli_text_of(migration, "phase"), "teardown") == 0;
}

static bool is_gone(const json_t *migration)
{
	return is_leaving(migration) && is_status(migration, "done");
}

bool cli_migration_is_live(const json_t *migration)
{
	return is_status(migration, "live");
}

bool cli_migration_ails(const json_t *migration)
{
	static const char *const bad[] = {"blocked", "unreachable", "failing", "stalled"};
	const char *health = cli_text_of(json_object_get(migration, "replication"), "health");

	for (size_t i = 0; i < BM_COUNT_OF(bad); i++) {
		if (strcmp(health, bad[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- the lag ---- */

static void print_live_rows(const json_t *rows, struct bm_strbuf *out)
{
	if (!json_is_integer(rows)) {
		bm_strbuf_puts(out, "what waits is not known");
	} else if (json_integer_value(rows) == 0) {
		bm_strbuf_puts(out, "nothing waits");
	} else {
		bm_words_count(out, json_integer_value(rows), "row waits", "rows wait");
	}
}

static void print_trend(const json_t *replication, struct bm_strbuf *out)
{
	const char *trend = cli_text_of(replication, "trend");
	int64_t rate = json_integer_value(json_object_get(replication, "shrink_rate"));
	char span[BM_CLOCK_TEXT_SIZE];

	if (strcmp(trend, "shrinks") == 0) {
		bm_strbuf_printf(out, ", catches up in %s",
				cli_seconds(json_object_get(replication, "catch_up_msec"),
						span));
	} else if (strcmp(trend, "grows") == 0) {
		bm_strbuf_puts(out, ", catches up: not at this rate");
		struct bm_strbuf speed = BM_STRBUF_INIT;
		if (bm_words_rate(&speed, (double)-rate, "row")) {
			bm_strbuf_printf(out, ": it grows by %s", bm_strbuf_text(&speed));
		}
		bm_strbuf_finish(&speed);
	} else if (strcmp(trend, "unknown") == 0) {
		bm_strbuf_puts(out, ", too early to say where it goes");
	}
}

static bool is_out_of_reach(const json_t *migration)
{
	return strcmp(cli_text_of(json_object_get(migration, "replication"), "health"),
			       "unreachable") == 0;
}

/* Why nothing is applied to one that would be live; NULL it is. */
static const char *what_halts(const json_t *migration)
{
	if (is_status(migration, "halted")) {
		return is_out_of_reach(migration) ? "while a database is out of reach"
						  : "while Bucardo does not run";
	}
	return is_status(migration, "starting") ? "until Bucardo has started to serve it"
						: NULL;
}

static void print_lag(const json_t *replication, const char *halted, struct bm_strbuf *out)
{
	const json_t *rows = json_object_get(replication, "backlog_rows");
	char span[BM_CLOCK_TEXT_SIZE];

	if (halted != NULL) {
		bm_strbuf_printf(out, "nothing is applied %s; ", halted);
		print_live_rows(rows, out);
	} else if (!json_is_integer(rows)) {
		bm_strbuf_puts(out, "not known");
	} else if (json_integer_value(rows) == 0) {
		bm_strbuf_puts(out, "none, nothing waits");
	} else {
		bm_strbuf_printf(out, "%s, ", cli_text_span(replication, "lag_msec", span));
		bm_words_count(out, json_integer_value(rows), "row waits",
				json_integer_value(rows) >= BM_BACKLOG_LIMIT
						? "rows or more wait"
						: "rows wait");
		print_trend(replication, out);
	}
}

/* What had to be done to keep it right; most often nothing. */
static void add_past(const json_t *replication, struct bm_strbuf *out)
{
	static const char *const members[][3] = {
			{"requeued_rows", "row requeued", "rows requeued"},
			{"conflicts", "conflict", "conflicts"}};

	for (size_t i = 0; i < BM_COUNT_OF(members); i++) {
		if (json_integer_value(json_object_get(replication, members[i][0])) > 0) {
			bm_strbuf_puts(out, "; ");
			cli_text_count(replication, members[i][0], members[i][1], members[i][2],
					out);
		}
	}
}

static bool is_changing(const json_t *migration)
{
	return json_is_true(
			json_object_get(json_object_get(migration, "cutover"), "under_way"));
}

/* Until when what is captured waits. */
static const char *what_releases(const json_t *migration)
{
	return is_changing(migration)			 ? ": the attempt carries them"
			: is_status(migration, "paused") ? " until it is resumed"
							 : " until it replicates";
}

/* Before its syncs are released what waits is only captured. */
static void add_replication(struct cli_table *table, const json_t *migration)
{
	const json_t *replication = json_object_get(migration, "replication");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (!json_is_object(replication) || is_leaving(migration)) {
		return;
	}
	if (!json_is_true(json_object_get(migration, "released"))) {
		int64_t rows = json_integer_value(json_object_get(replication, "backlog_rows"));
		bm_words_count(&text, rows, "changed row waits", "changed rows wait");
		bm_strbuf_puts(&text, what_releases(migration));
		cli_table_note(table, "captured", rows > 0 ? bm_strbuf_text(&text) : "");
	} else {
		print_lag(replication, what_halts(migration), &text);
		add_past(replication, &text);
		cli_table_note(table, "lag", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

/* While another try runs what is said of the last one is no state of things. */
static void add_reason(struct cli_table *table, const json_t *migration)
{
	const char *why = cli_text_of(migration, "why"), *hint = cli_text_of(migration, "hint");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (is_status(migration, "running") && why[0] != '\0') {
		bm_strbuf_printf(&text, "%s%s%s", why, hint[0] != '\0' ? "; hint: " : "", hint);
		cli_table_note(table, "last try failed", bm_strbuf_text(&text));
	} else {
		cli_table_note(table, "why", why);
		cli_table_note(table, "hint", hint);
	}
	bm_strbuf_finish(&text);
}

static void add_notes(struct cli_table *table, const json_t *migration)
{
	char span[BM_CLOCK_TEXT_SIZE];
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (is_status(migration, "running")) {
		cli_render_progress(table, migration);
	}
	cli_render_changing(table, migration);
	cli_render_ills(table, migration);
	cli_render_apart(table, migration);
	add_replication(table, migration);
	add_reason(table, migration);
	if (json_is_integer(json_object_get(migration, "retry_in_msec"))) {
		bm_strbuf_printf(&text, "in %s (%s, ",
				cli_text_span(migration, "retry_in_msec", span),
				cli_text_of(migration, "class"));
		cli_text_failures(migration, "attempt", &text);
		bm_strbuf_putc(&text, ')');
		cli_table_note(table, "next try", bm_strbuf_text(&text));
	}
	cli_render_reconcile(table, json_object_get(migration, "reconcile"));
	cli_render_verify(table, json_object_get(migration, "verify"));
	if (is_status(migration, "failed") &&
			strcmp(cli_text_of(migration, "class"), "internal") == 0) {
		bm_strbuf_clear(&text);
		bm_strbuf_printf(&text,
				"none by itself (internal); `bucardo-machine resume %s` tries again",
				cli_text_of(migration, "name"));
		cli_table_note(table, "next try", bm_strbuf_text(&text));
	}
	if (!is_leaving(migration)) {
		add_findings(table, migration);
	}
	bm_strbuf_finish(&text);
}

/* ---- rows ---- */

/* "copy running", "schema done", "live". */
static void add_state(struct cli_table *table, const json_t *migration)
{
	const char *word = cli_text_of(migration, "status");
	const json_t *changing = json_object_get(migration, "cutover");
	char text[48];

	if (strcmp(word, "live") == 0 || strcmp(word, "halted") == 0 ||
			strcmp(word, "starting") == 0) {
		snprintf(text, sizeof(text), "%s", word);
	} else if (is_gone(migration)) {
		snprintf(text, sizeof(text), "torn down");
	} else if (is_changing(migration) &&
			strcmp(cli_text_of(changing, "mode"), "rehearse") == 0) {
		snprintf(text, sizeof(text), "rehearsal %s", word);
	} else if (cli_text_of(migration, "phase")[0] == '\0') {
		snprintf(text, sizeof(text), "%s", word); /* how far it came is not known */
	} else {
		snprintf(text, sizeof(text), "%s %s", phase_shown(migration, word), word);
	}
	cli_table_cell(table, cli_tint_of(word), text);
}

/* It has replicated, and is kept from it: how far its phase is says nothing any more. */
static bool waits_to_replicate(const json_t *migration)
{
	return strcmp(cli_text_of(migration, "phase"), "replicate") == 0 &&
			!is_status(migration, "running") &&
			json_is_object(json_object_get(migration, "replication"));
}

/* "45 %, done in 3 min"; for one that is live what waits. */
static void add_progress(struct cli_table *table, const json_t *migration)
{
	const json_t *progress = json_object_get(migration, "progress");
	const json_t *percent = json_object_get(progress, "percent");
	const char *until = cli_text_of(migration, "until");
	struct bm_strbuf text = BM_STRBUF_INIT;
	char span[BM_CLOCK_TEXT_SIZE];

	if (cli_migration_is_live(migration)) {
		print_live_rows(json_object_get(json_object_get(migration, "replication"),
						"backlog_rows"),
				&text);
		if (cli_migration_ails(migration)) {
			bm_strbuf_printf(&text, ", %s",
					cli_text_of(json_object_get(migration, "replication"),
							"health"));
		}
	} else if (is_status(migration, "halted")) {
		bm_strbuf_puts(&text,
				is_out_of_reach(migration) ? "a database is out of reach"
							   : "Bucardo does not run");
	} else if (is_status(migration, "starting")) {
		bm_strbuf_puts(&text, "Bucardo starts to serve it");
	} else if (waits_to_replicate(migration)) {
		print_live_rows(json_object_get(json_object_get(migration, "replication"),
						"backlog_rows"),
				&text);
	} else if (json_is_integer(percent) && !is_gone(migration)) {
		bm_strbuf_printf(&text, "%lld %%", (long long)json_integer_value(percent));
		if (json_is_integer(json_object_get(progress, "eta_msec"))) {
			bm_strbuf_printf(&text, ", done in %s",
					cli_seconds(json_object_get(progress, "eta_msec"),
							span));
		}
	}
	if (strcmp(until, bm_phase_name(BM_PHASE_COUNT - 1)) != 0 && until[0] != '\0' &&
			!is_leaving(migration)) {
		bm_strbuf_printf(&text, "%suntil %s", text.length > 0 ? ", " : "", until);
	}
	cli_table_cell(table, CLI_PLAIN, bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

/* What is wrong with it, the cause before what follows from it. `most` of each kind. */
static void add_brief(
		struct cli_table *table, const json_t *migration, size_t most, bool only_worst)
{
	const json_t *reconcile = json_object_get(migration, "reconcile");
	const json_t *stopped = json_object_get(reconcile, "stopped");
	const char *const notes[][2] = {
			{"why",
					is_status(migration, "running")
							? ""
							: cli_text_of(migration, "why")},
			{"stopped", cli_text_of(stopped, "why")},
			{"different",
					cli_text_of(json_object_get(migration, "verify"),
							"trouble")},
	};
	bool is_told = cli_ill_count(migration, false) > 0;

	cli_render_ills_brief(table, migration, most);
	for (size_t i = 0; i < BM_COUNT_OF(notes) && !(only_worst && is_told); i++) {
		cli_table_brief(table, notes[i][0], notes[i][1]);
		is_told = is_told || notes[i][1][0] != '\0';
	}
	if (!(only_worst && is_told)) {
		cli_render_apart_brief(table, migration, most);
	}
}

static void add_migration(struct cli_table *table, const json_t *migration,
		enum cli_detail detail, bool many)
{
	char span[BM_CLOCK_TEXT_SIZE];

	cli_table_cell(table, CLI_PLAIN, cli_text_of(migration, "name"));
	add_state(table, migration);
	cli_table_cell(table, CLI_PLAIN, cli_text_span(migration, "age_msec", span));
	add_progress(table, migration);
	if (detail >= CLI_BRIEF) {
		add_brief(table, migration, many || detail > CLI_BRIEF ? 1 : APART_SHOWN,
				detail == CLI_WORST);
	} else {
		add_notes(table, migration);
	}
}

void cli_render_migrations(const json_t *migrations, enum cli_detail detail, bool colour,
		struct bm_strbuf *out)
{
	struct cli_table *table = cli_table_create(columns, BM_COUNT_OF(columns));
	size_t index;
	const json_t *migration;

	json_array_foreach(migrations, index, migration)
	{
		add_migration(table, migration, detail, json_array_size(migrations) > MANY);
	}
	cli_table_print(table, colour, out);
	cli_table_destroy(table);
}
