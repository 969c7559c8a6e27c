/* Lines of a comparison, for people and as JSON. */
#include "client/verify/verify_view.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "client/terminal/text.h"

/* Rows that differ, of one table, on a screen; the report has more. */
#define ROWS_SHOWN 10

/* Behind the state of an object. */
#define INDENT 11

void cli_verify_close_line(struct cli_verify_view *view)
{
	if (view->line_is_open) {
		printf("\r\033[K");
		view->line_is_open = false;
	}
}

void cli_verify_progress(void *ctx, const char *what, double share)
{
	struct cli_verify_view *view = ctx;
	struct bm_strbuf name = BM_STRBUF_INIT;

	if (view->terminal && !view->json) {
		cli_text_harmless(what, 60, &name);
		printf("\r\033[K%3.0f %%  %s", share * 100, bm_strbuf_text(&name));
		fflush(stdout);
		view->line_is_open = true;
	}
	bm_strbuf_finish(&name);
}

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

static void put_key(const json_t *key, struct bm_strbuf *out)
{
	const char *column;
	const json_t *value;
	const char *separator = "";

	json_object_foreach((json_t *)(uintptr_t)key, column, value)
	{
		bm_strbuf_printf(out, "%s%s = '%s'", separator, column,
				json_string_value(value));
		separator = " AND ";
	}
}

static void put_value(const json_t *value, struct bm_strbuf *out)
{
	if (json_is_null(value)) {
		bm_strbuf_puts(out, "NULL");
	} else {
		bm_strbuf_printf(out, "'%s'", json_string_value(value));
	}
}

static void put_columns(const json_t *columns, struct bm_strbuf *out)
{
	const char *column;
	const json_t *values;
	const char *separator = ": ";

	json_object_foreach((json_t *)(uintptr_t)columns, column, values)
	{
		bm_strbuf_printf(out, "%s%s", separator, column);
		if (json_object_size(values) > 0) {
			bm_strbuf_puts(out, " ");
			put_value(json_object_get(values, "source"), out);
			bm_strbuf_puts(out, " / ");
			put_value(json_object_get(values, "destination"), out);
		}
		separator = ", ";
	}
}

static void print_rows(const json_t *differences)
{
	size_t index;
	const json_t *row;

	json_array_foreach(differences, index, row)
	{
		struct bm_strbuf line = BM_STRBUF_INIT, clean = BM_STRBUF_INIT;
		if (index == ROWS_SHOWN) {
			printf("%*s... and %zu more; --json names up to 1,000 of a table\n",
					INDENT, "", json_array_size(differences) - index);
			break;
		}
		bm_strbuf_printf(&line, "%-8s ", cli_text_of(row, "kind"));
		put_key(json_object_get(row, "key"), &line);
		put_columns(json_object_get(row, "columns"), &line);
		cli_text_harmless(bm_strbuf_text(&line), 0, &clean);
		printf("%*s%s\n", INDENT, "", bm_strbuf_text(&clean));
		bm_strbuf_finish(&line);
		bm_strbuf_finish(&clean);
	}
}

static void put_number(const json_t *object, const char *member, const char *format,
		struct bm_strbuf *out)
{
	json_int_t number = json_integer_value(json_object_get(object, member));

	if (number > 0) {
		char text[32];
		snprintf(text, sizeof(text), "%lld", (long long)number);
		bm_strbuf_printf(out, ", %s %s", text, format);
	}
}

static void print_object(const json_t *object)
{
	struct bm_strbuf line = BM_STRBUF_INIT, clean = BM_STRBUF_INIT;

	bm_strbuf_printf(&line, "%s %s", cli_text_of(object, "kind"),
			cli_text_of(object, "name"));
	put_number(object, "rows", "rows", &line);
	put_number(object, "equal", "of them", &line);
	put_number(object, "in_flight", "in flight", &line);
	put_number(object, "missing", "missing", &line);
	put_number(object, "extra", "extra", &line);
	put_number(object, "changed", "changed", &line);
	put_number(object, "sent", "sent again", &line);
	put_number(object, "repaired", "repaired", &line);
	if (cli_text_of(object, "why")[0] != '\0') {
		bm_strbuf_printf(&line, ": %s", cli_text_of(object, "why"));
	}
	if (cli_text_of(object, "unrepaired")[0] != '\0') {
		bm_strbuf_printf(
				&line, "; not repaired: %s", cli_text_of(object, "unrepaired"));
	}
	cli_text_harmless(bm_strbuf_text(&line), 0, &clean);
	bm_strbuf_clear(&line);
	cli_text_wrapped(bm_strbuf_text(&clean), INDENT, INDENT, &line);
	printf("%-*s%s", INDENT, cli_text_of(object, "state"), bm_strbuf_text(&line));
	print_rows(json_object_get(object, "differences"));
	fflush(stdout);
	bm_strbuf_finish(&line);
	bm_strbuf_finish(&clean);
}

static void count(struct cli_verify_view *view, const char *state)
{
	for (enum bm_proof proof = 0; proof < BM_PROOF_COUNT; proof++) {
		view->counts[proof] += strcmp(bm_proof_name(proof), state) == 0;
	}
}

void cli_verify_object(void *ctx, const json_t *object)
{
	struct cli_verify_view *view = ctx;

	count(view, cli_text_of(object, "state"));
	if (view->json) {
		print_json(json_pack("{s:s, s:O}", "event", "object", "object", object));
		return;
	}
	cli_verify_close_line(view);
	print_object(object);
}

void cli_verify_result(struct cli_verify_view *view, json_t *report, enum bm_proof result)
{
	static const char *const words[] = {[BM_PROOF_EQUAL] = "Everything is equal",
			[BM_PROOF_IN_FLIGHT] = "Equal, but for rows that are under way",
			[BM_PROOF_UNPROVEN] = "Not everything could be proven",
			[BM_PROOF_DIFFERENT] = "The databases differ"};

	if (view->json) {
		print_json(json_pack("{s:s, s:O}", "event", "report", "report", report));
		return;
	}
	cli_verify_close_line(view);
	printf("\n%s: %zu equal, %zu in flight, %zu unproven, %zu different.\n", words[result],
			view->counts[BM_PROOF_EQUAL], view->counts[BM_PROOF_IN_FLIGHT],
			view->counts[BM_PROOF_UNPROVEN], view->counts[BM_PROOF_DIFFERENT]);
}
