/*
 * What is NOT in step: rows that the destination does not get, with both counts. Each kind has
 * its lines: tables that are apart one by one, those that have as many rows on both sides
 * together.
 */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/words.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

/* Lines of single tables, and names in a line of several. */
#define LINES_SHOWN 8
#define NAMES_SHOWN 5

static bool is_kind(const json_t *entry, const char *kind)
{
	return strcmp(cli_text_of(entry, "kind"), kind) == 0;
}

/* Counts that differ, or a count that nobody could make: it may be apart. What a person left
 * out is no trouble; paused, or changed twice, is trouble whatever the counts are. */
static bool is_apart(const json_t *entry)
{
	bool equal = json_is_integer(json_object_get(entry, "source")) &&
			json_equal(json_object_get(entry, "source"),
					json_object_get(entry, "destination"));

	return is_kind(entry, "paused") || is_kind(entry, "twice") ||
			(!equal && !is_kind(entry, "excluded"));
}

size_t cli_apart_count(const json_t *migration)
{
	size_t index, count = 0;
	const json_t *entry;

	json_array_foreach(json_object_get(migration, "not_in_step"), index, entry)
	{
		count += is_apart(entry);
	}
	return count;
}

/* "23,491 rows on the source", "about 1,943 on the destination". */
static void print_side(
		const json_t *entry, const char *side, const char *noun, struct bm_strbuf *out)
{
	char about[32];
	const json_t *count = json_object_get(entry, side);

	snprintf(about, sizeof(about), "%s_about", side);
	if (!json_is_integer(count)) {
		bm_strbuf_printf(out, "an unknown number on the %s", side);
		return;
	}
	bm_strbuf_puts(out, json_is_true(json_object_get(entry, about)) ? "about " : "");
	if (noun != NULL) {
		bm_words_count(out, json_integer_value(count), noun, NULL);
	} else {
		bm_words_number(out, json_integer_value(count));
	}
	bm_strbuf_printf(out, " on the %s", side);
}

static void print_age(const json_t *entry, struct bm_strbuf *out)
{
	char span[BM_CLOCK_TEXT_SIZE];

	if (json_is_integer(json_object_get(entry, "age_msec"))) {
		bm_strbuf_printf(out, ", counted %s ago",
				cli_text_span(entry, "age_msec", span));
	}
}

/* "public.t, 23,491 rows on the source, 1,943 on the destination, counted 4 min ago". */
static void print_entry(const json_t *entry, struct bm_strbuf *out)
{
	const char *why = cli_text_of(entry, "why");

	bm_strbuf_printf(out, "%s, ", cli_text_of(entry, "name"));
	print_side(entry, "source", is_kind(entry, "large-objects") ? NULL : "row", out);
	bm_strbuf_puts(out, ", ");
	print_side(entry, "destination", NULL, out);
	print_age(entry, out);
	if (why[0] != '\0') {
		bm_strbuf_printf(out, " (%s)", why);
	}
}

/* Those of one kind of line: the first names, how many there are, and when they were counted.
 */
struct group {
	struct bm_strbuf names;
	int64_t count;
	const json_t *first;
};

static void join(struct group *group, const json_t *entry)
{
	if (group->count++ < NAMES_SHOWN) {
		bm_strbuf_printf(&group->names, "%s%s", group->count > 1 ? ", " : "",
				cli_text_of(entry, "name"));
	}
	group->first = group->first != NULL ? group->first : entry;
}

static void add_group(struct cli_table *table, const char *label, const char *how,
		struct group *group)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (group->count > 0) {
		bm_words_count(&text, group->count, "table", NULL);
		bm_strbuf_printf(&text, " %s: %s%s", how, bm_strbuf_text(&group->names),
				group->count > NAMES_SHOWN ? ", ..." : "");
		print_age(group->first, &text);
		cli_table_note(table, label, bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
	bm_strbuf_finish(&group->names);
}

static void add_apart(struct cli_table *table, const json_t *list)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct group more = {BM_STRBUF_INIT, 0, NULL};
	size_t index, shown = 0;
	const json_t *entry;

	json_array_foreach(list, index, entry)
	{
		if (!is_apart(entry)) {
			continue;
		}
		if (shown++ < LINES_SHOWN) {
			bm_strbuf_clear(&text);
			print_entry(entry, &text);
			cli_table_note(table, "NOT in step", bm_strbuf_text(&text));
		} else {
			join(&more, entry);
		}
	}
	add_group(table, "NOT in step", "more", &more);
	bm_strbuf_finish(&text);
}

void cli_render_apart(struct cli_table *table, const json_t *migration)
{
	const json_t *list = json_object_get(migration, "not_in_step");
	struct group equal = {BM_STRBUF_INIT, 0, NULL}, out = {BM_STRBUF_INIT, 0, NULL};
	size_t index;
	const json_t *entry;

	add_apart(table, list);
	json_array_foreach(list, index, entry)
	{
		if (is_kind(entry, "excluded")) {
			join(&out, entry);
		} else if (!is_apart(entry) && !is_kind(entry, "large-objects")) {
			join(&equal, entry);
		} else if (!is_apart(entry)) {
			struct bm_strbuf text = BM_STRBUF_INIT;
			print_entry(entry, &text);
			cli_table_note(table, "not kept in step", bm_strbuf_text(&text));
			bm_strbuf_finish(&text);
		}
	}
	add_group(table, "not kept in step", "with as many rows on both sides", &equal);
	add_group(table, "left out", "by machine.yaml", &out);
}

void cli_render_apart_brief(struct cli_table *table, const json_t *migration, size_t most)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index, count = cli_apart_count(migration), shown = 0;
	const json_t *entry;

	json_array_foreach(json_object_get(migration, "not_in_step"), index, entry)
	{
		if (!is_apart(entry) || shown == most) {
			continue;
		}
		bm_strbuf_clear(&text);
		if (++shown == most && count > most) {
			bm_strbuf_printf(&text, "(and %zu more) ", count - most);
		}
		print_entry(entry, &text);
		cli_table_brief(table, "NOT in step", bm_strbuf_text(&text));
	}
	bm_strbuf_finish(&text);
}
