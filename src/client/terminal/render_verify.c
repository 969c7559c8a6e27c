/* What the background knows of the rows: in `status`, under the row of its migration. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/words.h"
#include "bucardo_machine/strbuf.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

/* Of tables that are not proven, and of rows of one table. */
#define NAMED 5

static long long number_of(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

/* "2026-11-28 21:40:11 UTC" */
static void put_time(const char *time, struct bm_strbuf *out)
{
	if (strlen(time) > 19) {
		bm_strbuf_printf(out, "%.10s %.8s UTC", time, time + 11);
	}
}

/* "100 %, all 12 tables; oldest proof ..." */
static void render_proven(struct cli_table *table, const json_t *verify)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	const char *oldest = cli_text_of(verify, "oldest_proof");
	long long tables = number_of(verify, "tables"), equal = number_of(verify, "equal");

	if (!json_is_integer(json_object_get(verify, "percent"))) {
		return;
	}
	bm_strbuf_printf(&text, "%lld %%, ", number_of(verify, "percent"));
	if (equal == tables) {
		bm_strbuf_puts(&text, "all ");
	} else {
		bm_strbuf_printf(&text, "%lld of ", equal);
	}
	bm_words_count(&text, tables, "table", NULL);
	if (oldest[0] != '\0') {
		bm_strbuf_puts(&text, "; oldest proof ");
		put_time(oldest, &text);
	}
	cli_table_note(table, "proven equal", bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

/* "1.2 MB/s; slowed to 600 KB/s: the source answers in 240 ms, in 2 ms usually" */
static void render_rate(struct cli_table *table, const json_t *verify)
{
	const json_t *rate = json_object_get(verify, "rate");
	struct bm_strbuf text = BM_STRBUF_INIT;
	bool is_read = bm_words_rate(
			&text, (double)number_of(rate, "bytes_per_second"), "byte");

	if (is_read && number_of(rate, "limit") > 0) {
		bm_strbuf_puts(&text, "; slowed to ");
		bm_words_rate(&text, (double)number_of(rate, "limit"), "byte");
		bm_strbuf_printf(&text, ": the source answers in %lld ms, in %lld ms usually",
				number_of(rate, "answer_ms"),
				number_of(rate, "usual_answer_ms"));
	}
	if (is_read) {
		cli_table_note(table, "being read", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

static void render_in_flight(struct cli_table *table, const json_t *verify)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (number_of(verify, "in_flight") > 0) {
		cli_text_count(verify, "in_flight", "table", "tables", &text);
		bm_strbuf_puts(&text, ", since ");
		put_time(cli_text_of(verify, "in_flight_since"), &text);
		cli_table_note(table, "in flight", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

/* "public.t: 1 missing, 2 changed ({"id":"7"}: name; ...)" */
static void put_difference(const json_t *one, struct bm_strbuf *text)
{
	static const char *const kinds[] = {"missing", "extra", "changed", NULL};
	const json_t *rows = json_object_get(one, "rows");
	const char *separator = "";

	bm_strbuf_printf(text, "%s: %s", cli_text_of(one, "table"), cli_text_of(one, "why"));
	for (const char *const *kind = kinds; *kind != NULL; kind++) {
		if (number_of(one, *kind) > 0) {
			bm_strbuf_printf(text, "%s%lld %s", separator, number_of(one, *kind),
					*kind);
			separator = ", ";
		}
	}
	for (size_t i = 0; i < json_array_size(rows) && i < NAMED; i++) {
		const json_t *row = json_array_get(rows, i);
		bm_strbuf_printf(text, "%s%s %s", i == 0 ? " (" : "; ",
				cli_text_of(row, "kind"), cli_text_of(row, "key"));
	}
	bm_strbuf_puts(text, json_array_size(rows) > 0 ? ")" : "");
}

static void render_differences(struct cli_table *table, const json_t *verify)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(verify, "differences"), index, one)
	{
		bm_strbuf_clear(&text);
		put_difference(one, &text);
		cli_table_note(table, "different", bm_strbuf_text(&text));
	}
	cli_table_note(table, "hint", cli_text_of(verify, "hint"));
	bm_strbuf_finish(&text);
}

static void render_unproven(struct cli_table *table, const json_t *verify)
{
	const json_t *list = json_object_get(verify, "not_proven");
	struct bm_strbuf text = BM_STRBUF_INIT;

	for (size_t i = 0; i < json_array_size(list) && i < NAMED; i++) {
		const json_t *one = json_array_get(list, i);
		bm_strbuf_clear(&text);
		bm_strbuf_printf(&text, "%s: %s", cli_text_of(one, "table"),
				cli_text_of(one, "why"));
		cli_table_note(table, "unproven", bm_strbuf_text(&text));
	}
	if (number_of(verify, "unproven") > NAMED) {
		bm_strbuf_clear(&text);
		bm_strbuf_printf(&text, "%lld more: `status --json` has them",
				number_of(verify, "unproven") - NAMED);
		cli_table_note(table, "unproven", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}

void cli_render_verify(struct cli_table *table, const json_t *verify)
{
	render_proven(table, verify);
	render_rate(table, verify);
	render_in_flight(table, verify);
	render_differences(table, verify);
	render_unproven(table, verify);
	cli_table_note(table, "not compared", cli_text_of(verify, "why"));
}
