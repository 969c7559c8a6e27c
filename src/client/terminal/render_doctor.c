/* What the doctor found: a paragraph each, the statement last, so that it can be copied. */
#include "client/terminal/render.h"

#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "client/terminal/table.h"
#include "client/terminal/text.h"

static void render_line(const char *label, const char *text, bool colour, struct bm_strbuf *out)
{
	if (text[0] != '\0') {
		bm_strbuf_puts(out, "  ");
		cli_tinted(CLI_DIM, colour, label, out);
		bm_strbuf_puts(out, " ");
		cli_text_wrapped(text, 7, 7, out);
	}
}

static void render_finding(const json_t *finding, bool colour, struct bm_strbuf *out)
{
	const char *severity = cli_text_of(finding, "severity");
	const char *since = cli_text_of(finding, "since");
	json_int_t more = json_integer_value(json_object_get(finding, "more"));

	cli_tinted(strcmp(severity, "stops") == 0			? CLI_BAD
					: strcmp(severity, "note") == 0 ? CLI_DIM
									: CLI_BUSY,
			colour, severity, out);
	bm_strbuf_puts(out, "  ");
	cli_tinted(CLI_BOLD, colour, cli_text_of(finding, "rule"), out);
	bm_strbuf_printf(out, " on the %s", cli_text_of(finding, "side"));
	if (strlen(since) > 19) {
		bm_strbuf_printf(out, ", since %.10s %.8s UTC", since, since + 11);
	}
	if (more > 0) {
		bm_strbuf_printf(out, ", and %lld more like it", (long long)more);
	}
	bm_strbuf_putc(out, '\n');
	render_line("why ", cli_text_of(finding, "cause"), colour, out);
	render_line("did ", cli_text_of(finding, "did"), colour, out);
	render_line("do  ", cli_text_of(finding, "hint"), colour, out);
}

static void render_unknown(const json_t *entry, bool colour, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index;
	const json_t *fact;

	bm_strbuf_printf(&text, "on the %s: ", cli_text_of(entry, "side"));
	json_array_foreach(json_object_get(entry, "facts"), index, fact)
	{
		bm_strbuf_printf(&text, "%s%s", index > 0 ? ", " : "", json_string_value(fact));
	}
	bm_strbuf_printf(&text, ": %s", cli_text_of(entry, "why"));
	cli_tinted(CLI_DIM, colour, "not looked at", out);
	bm_strbuf_puts(out, " ");
	cli_text_wrapped(bm_strbuf_text(&text), 14, 2, out);
	bm_strbuf_finish(&text);
}

void cli_render_doctor(
		const char *name, const json_t *evidence, bool colour, struct bm_strbuf *out)
{
	const json_t *findings = json_object_get(evidence, "findings");
	const json_t *unknown = json_object_get(evidence, "not_looked_at");
	size_t index;
	const json_t *one;

	cli_tinted(CLI_BOLD, colour, name, out);
	if (json_array_size(findings) == 0) {
		bm_strbuf_puts(out,
				json_array_size(unknown) == 0 ? ": nothing is wrong\n"
							      : ": nothing wrong was found\n");
	} else {
		bm_strbuf_puts(out, ": ");
		cli_text_amount((int64_t)json_array_size(findings), "findings", out);
		bm_strbuf_putc(out, '\n');
	}
	json_array_foreach(findings, index, one)
	{
		render_finding(one, colour, out);
	}
	json_array_foreach(unknown, index, one)
	{
		render_unknown(one, colour, out);
	}
}

/* ---- under the row of a migration ---- */

/* Findings under a row; `doctor` shows the others. */
#define ILLS_SHOWN 3

static const char *const severities[] = {"stops", "degrades"};

/* Who was not told stands in the head of the screen, once for all migrations. */
static bool is_severe(const json_t *finding, const char *severity)
{
	return strcmp(cli_text_of(finding, "rule"), "receiver") != 0 &&
			strcmp(cli_text_of(finding, "severity"), severity) == 0;
}

static size_t count_of(const json_t *migration, const char *severity)
{
	size_t index, count = 0;
	const json_t *finding;

	json_array_foreach(json_object_get(migration, "doctor"), index, finding)
	{
		count += is_severe(finding, severity);
	}
	return count;
}

size_t cli_ill_count(const json_t *migration, bool only_stops)
{
	return count_of(migration, "stops") +
			(only_stops ? 0 : count_of(migration, "degrades"));
}

/* "stops, blocker on the source: ...": not what to do, a statement in part is worse than none.
 */
static void add_ill(struct cli_table *table, const json_t *finding, size_t left_out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (left_out > 0) {
		bm_strbuf_printf(&text, "(and %zu more) ", left_out);
	}
	bm_strbuf_printf(&text, "%s, %s on the %s: %s", cli_text_of(finding, "severity"),
			cli_text_of(finding, "rule"), cli_text_of(finding, "side"),
			cli_text_of(finding, "cause"));
	cli_table_brief(table, "doctor", bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

bool cli_has_ills(const json_t *status)
{
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(status, "migrations"), index, one)
	{
		if (cli_ill_count(one, false) > 0) {
			return true;
		}
	}
	return false;
}

/* The worst `most`; with the last of them how many more there are, when `tells`. */
static size_t add_ills(
		struct cli_table *table, const json_t *migration, size_t most, bool tells)
{
	size_t count = cli_ill_count(migration, false), shown = 0, index;
	const json_t *finding;

	for (size_t i = 0; i < BM_COUNT_OF(severities); i++) {
		json_array_foreach(json_object_get(migration, "doctor"), index, finding)
		{
			if (shown < most && is_severe(finding, severities[i])) {
				shown++;
				add_ill(table, finding,
						tells && shown == most ? count - shown : 0);
			}
		}
	}
	return shown;
}

void cli_render_ills_brief(struct cli_table *table, const json_t *migration, size_t most)
{
	add_ills(table, migration, most, true);
}

/* "3 more, and what to do: `bucardo-machine doctor app`" */
void cli_render_ills(struct cli_table *table, const json_t *migration)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t shown = add_ills(table, migration, ILLS_SHOWN, false);
	size_t more = cli_ill_count(migration, false) - shown;
	size_t notes = count_of(migration, "note");

	if (more > 0) {
		bm_strbuf_printf(&text, "%zu more, ", more);
	}
	if (notes > 0) {
		bm_words_count(&text, (int64_t)notes, "note", NULL);
		bm_strbuf_puts(&text, shown > 0 ? ", " : "");
	}
	bm_strbuf_printf(&text, "%s: `bucardo-machine doctor %s`",
			shown > 0 ? "evidence and what to do" : "",
			cli_text_of(migration, "name"));
	if (shown + notes > 0) {
		cli_table_note(table, "doctor", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}
