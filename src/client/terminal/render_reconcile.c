/* What is done beside the phases of a migration: in `status`, under its row. */
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

/* Before the cut-over it is the source, as everybody expects. */
static void render_live_side(struct cli_table *table, const json_t *live)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index;
	const json_t *one;

	if (live == NULL) {
		return;
	}
	bool has_fence = json_is_true(json_object_get(live, "fence"));
	if (strcmp(cli_text_of(live, "side"), "source") != 0) {
		bm_strbuf_printf(&text, "the %s%s", cli_text_of(live, "side"),
				has_fence ? ": its fence is lifted"
					  : ", as it was when its fence was seen last");
		cli_table_note(table, "live side", bm_strbuf_text(&text));
	} else if (!has_fence) {
		cli_table_note(table, "fence",
				"the destination has none any more: anybody can write there; to have "
				"it raised again: CREATE TABLE bucardo_machine.fence (lifted "
				"timestamptz, lifted_by text)");
	}
	json_array_foreach(json_object_get(live, "not_applied"), index, one)
	{
		bm_strbuf_clear(&text);
		bm_strbuf_printf(&text, "%s: %s", cli_text_of(one, "what"),
				cli_text_of(one, "why"));
		cli_table_note(table, "not applied", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

/* "public.s: why; what fixes it". */
static void render_sequences(struct cli_table *table, const json_t *sequences)
{
	static const struct {
		const char *member, *label;
	} kinds[] = {{"failed", "sequence not set"}, {"missing", "not migrated"}};
	struct bm_strbuf text = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
		size_t index;
		const json_t *one;
		json_array_foreach(json_object_get(sequences, kinds[i].member), index, one)
		{
			const char *hint = cli_text_of(one, "hint");
			bm_strbuf_clear(&text);
			bm_strbuf_printf(&text, "sequence %s: %s%s%s",
					cli_text_of(one, "sequence"), cli_text_of(one, "why"),
					hint[0] != '\0' ? "; " : "", hint);
			cli_table_note(table, kinds[i].label, bm_strbuf_text(&text));
		}
	}
	bm_strbuf_finish(&text);
}

/* ---- lists, a line for each of their objects ---- */

static void render_drift(const json_t *one, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "%s: %s; %s", cli_text_of(one, "table"),
			cli_text_of(one, "difference"), cli_text_of(one, "hint"));
}

static void render_paused(const json_t *one, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "%s, with ", cli_text_of(one, "table"));
	cli_text_count(one, "rows", "change that waits", "changes that wait", out);
}

static void render_kept(const json_t *one, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "changes of %s for %s; %s", cli_text_of(one, "table"),
			cli_text_of(one, "target"), cli_text_of(one, "hint"));
}

static void render_unchecked(const json_t *one, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "foreign key %s of %s: %s; %s", cli_text_of(one, "name"),
			cli_text_of(one, "table"), cli_text_of(one, "why"),
			cli_text_of(one, "hint"));
}

static void render_new(const json_t *one, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "%s: %s; %s", cli_text_of(one, "table"), cli_text_of(one, "why"),
			cli_text_of(one, "hint"));
}

static const struct {
	const char *member, *label;
	void (*render)(const json_t *one, struct bm_strbuf *out);
} lists[] = {
		{"drift", "differs", render_drift},
		{"paused", "paused", render_paused},
		{"kept", "kept", render_kept},
		{"unchecked", "not validated", render_unchecked},
		{"new", "not migrated", render_new},
};

static void render_lists(struct cli_table *table, const json_t *reconcile)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index;
	const json_t *one;

	for (size_t i = 0; i < BM_COUNT_OF(lists); i++) {
		json_array_foreach(json_object_get(reconcile, lists[i].member), index, one)
		{
			bm_strbuf_clear(&text);
			lists[i].render(one, &text);
			cli_table_note(table, lists[i].label, bm_strbuf_text(&text));
		}
	}
	bm_strbuf_finish(&text);
}

static void render_pass(
		struct cli_table *table, const json_t *reconcile, const json_t *sequences)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	char span[BM_CLOCK_TEXT_SIZE];

	if (json_is_object(sequences)) {
		cli_text_count(sequences, "transferred", "sequence", "sequences", &text);
		bm_strbuf_printf(&text, " transferred%s, ",
				json_is_true(json_object_get(sequences, "lifted"))
						? " (the fence is lifted)"
						: "");
		cli_text_count(reconcile, "tables", "table", "tables", &text);
		bm_strbuf_printf(&text, " compared, %s ago",
				cli_text_span(reconcile, "age_msec", span));
		cli_table_note(table, "checked", bm_strbuf_text(&text));
	}
	cli_table_note(table, "not checked", cli_text_of(reconcile, "why"));
	bm_strbuf_finish(&text);
}

static void render_stopped(struct cli_table *table, const json_t *stopped)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (json_is_object(stopped)) {
		bm_strbuf_printf(&text, "%s; %s", cli_text_of(stopped, "why"),
				cli_text_of(stopped, "hint"));
		cli_table_note(table, "stopped", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

void cli_render_reconcile(struct cli_table *table, const json_t *reconcile)
{
	const json_t *sequences = json_object_get(reconcile, "sequences");

	render_pass(table, reconcile, sequences);
	render_stopped(table, json_object_get(reconcile, "stopped"));
	render_live_side(table, json_object_get(reconcile, "live"));
	render_sequences(table, sequences);
	render_lists(table, reconcile);
}
