/* What a value of a type may be; the text of a row is read by these at the follower. */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/strbuf.h"
#include "worker/drift/compare.h"

/* ---- enums ---- */

static int find_label(const json_t *labels, const json_t *label)
{
	for (size_t i = 0; i < json_array_size(labels); i++) {
		if (json_equal(json_array_get(labels, i), label)) {
			return (int)i;
		}
	}
	return -1;
}

static size_t count_missing(const json_t *wanted, const json_t *labels)
{
	size_t count = 0, index;
	const json_t *label;

	json_array_foreach(wanted, index, label)
	{
		count += find_label(labels, label) < 0;
	}
	return count;
}

/* "; " between two statements. */
static void begin_statement(struct bm_strbuf *text, const char *verb, const char *type)
{
	bm_strbuf_printf(text, "%s%s %s ", text->length > 0 ? "; " : "", verb, type);
}

/* ADD VALUE for each of `wanted` that `labels` lacks, each where it belongs. */
static void add_values(struct bm_strbuf *text, const char *type, const json_t *wanted,
		const json_t *labels)
{
	json_t *there = json_copy((json_t *)(uintptr_t)labels);

	for (size_t i = 0; i < json_array_size(wanted); i++) {
		json_t *label = json_array_get(wanted, i);
		int next = -1;
		if (find_label(there, label) >= 0) {
			continue;
		}
		for (size_t j = i + 1; next < 0 && j < json_array_size(wanted); j++) {
			next = find_label(there, json_array_get(wanted, j));
		}
		begin_statement(text, "ALTER TYPE", type);
		bm_strbuf_puts(text, "ADD VALUE ");
		bm_quote_literal(text, json_string_value(label));
		if (next >= 0) {
			bm_strbuf_puts(text, " BEFORE ");
			bm_quote_literal(text,
					json_string_value(json_array_get(there, (size_t)next)));
			json_array_insert(there, (size_t)next, label);
		} else {
			json_array_append(there, label);
		}
	}
	json_decref(there);
}

/* The same number of labels, and each place has the same one, or one that the other side lacks.
 */
static bool is_renamed(const json_t *live, const json_t *follower)
{
	size_t index;
	const json_t *label;

	if (json_array_size(live) != json_array_size(follower)) {
		return false;
	}
	json_array_foreach(live, index, label)
	{
		const json_t *other = json_array_get(follower, index);
		if (!json_equal(label, other) &&
				(find_label(follower, label) >= 0 ||
						find_label(live, other) >= 0)) {
			return false;
		}
	}
	return true;
}

static void rename_values(struct bm_strbuf *text, const char *type, const json_t *live,
		const json_t *follower)
{
	size_t index;
	const json_t *label;

	json_array_foreach(live, index, label)
	{
		const json_t *other = json_array_get(follower, index);
		if (!json_equal(label, other)) {
			begin_statement(text, "ALTER TYPE", type);
			bm_strbuf_puts(text, "RENAME VALUE ");
			bm_quote_literal(text, json_string_value(other));
			bm_strbuf_puts(text, " TO ");
			bm_quote_literal(text, json_string_value(label));
		}
	}
}

/* 'a', 'b': those of `wanted` that `labels` lacks. */
static void name_missing(struct bm_strbuf *text, const json_t *wanted, const json_t *labels)
{
	const char *comma = "";
	size_t index;
	const json_t *label;

	json_array_foreach(wanted, index, label)
	{
		if (find_label(labels, label) < 0) {
			bm_strbuf_puts(text, comma);
			bm_quote_literal(text, json_string_value(label));
			comma = ", ";
		}
	}
}

static void report_labels(struct bm_comparison *it, const char *type, const json_t *wanted,
		const json_t *labels, const char *here, const char *there, bool breaks)
{
	struct bm_strbuf names = BM_STRBUF_INIT, text = BM_STRBUF_INIT;

	name_missing(&names, wanted, labels);
	add_values(&text, type, wanted, labels);
	bm_compare_add(it,
			bm_format("type %s has the value %s on the %s only", type,
					bm_strbuf_text(&names), here),
			bm_format("on the %s: %s", there, bm_strbuf_text(&text)), breaks);
	bm_strbuf_finish(&names);
	bm_strbuf_finish(&text);
}

static void compare_enum(struct bm_comparison *it, const char *type, const json_t *live,
		const json_t *follower)
{
	const json_t *ours = json_object_get(live, "labels");
	const json_t *theirs = json_object_get(follower, "labels");
	size_t missing = count_missing(ours, theirs), more = count_missing(theirs, ours);

	if (missing > 0 && is_renamed(ours, theirs)) {
		struct bm_strbuf text = BM_STRBUF_INIT;
		rename_values(&text, type, ours, theirs);
		bm_compare_add(it,
				bm_format("values of type %s have other names on the %s", type,
						it->live),
				bm_format("on the %s: %s", it->follower, bm_strbuf_text(&text)),
				true);
		bm_strbuf_finish(&text);
		return;
	}
	if (missing > 0) {
		report_labels(it, type, ours, theirs, it->live, it->follower, true);
	}
	if (more > 0) {
		report_labels(it, type, theirs, ours, it->follower, it->live, false);
	}
	if (missing == 0 && more == 0 && !json_equal(ours, theirs)) {
		bm_compare_add(it,
				bm_format("the values of type %s are in another order on the "
					  "%s, and sort so",
						type, it->follower),
				bm_format("on the %s: make the type anew; no ALTER TYPE moves "
					  "a value",
						it->follower),
				false);
	}
}

/* ---- domains ---- */

static void compare_domain_guards(struct bm_comparison *it, const char *type,
		const json_t *ours, const json_t *theirs)
{
	size_t index;
	const json_t *guard;

	json_array_foreach(theirs, index, guard)
	{
		const char *name = bm_compare_text(guard, "name");
		if (!bm_compare_has_guard(it, ours, guard)) {
			bm_compare_add(it,
					bm_format("domain %s has %s, %s, on the %s only, and "
						  "may refuse rows",
							type, name,
							bm_compare_text(guard, "def"),
							it->follower),
					bm_format("on the %s: ALTER DOMAIN %s DROP CONSTRAINT "
						  "%s",
							it->follower, type, name),
					true);
		}
	}
	json_array_foreach(ours, index, guard)
	{
		const char *name = bm_compare_text(guard, "name");
		const char *def = bm_compare_text(guard, "def");
		if (!bm_compare_has_guard(it, theirs, guard)) {
			bm_compare_add(it,
					bm_format("domain %s has %s, %s, on the %s only", type,
							name, def, it->live),
					bm_format("on the %s: ALTER DOMAIN %s ADD CONSTRAINT "
						  "%s %s",
							it->follower, type, name, def),
					false);
		}
	}
}

/* Of a domain what it is over, of a range what it is of. */
static void compare_base(struct bm_comparison *it, const char *type, const json_t *live,
		const json_t *follower)
{
	if (!bm_compare_is_same(live, follower, "base")) {
		bm_compare_add(it,
				bm_format("type %s is over %s on the %s and over %s on the %s",
						type, bm_compare_text(live, "base"), it->live,
						bm_compare_text(follower, "base"),
						it->follower),
				bm_format("on the %s: make it anew over %s; no ALTER changes "
					  "that",
						it->follower, bm_compare_text(live, "base")),
				true);
		it->rewritten = true;
	}
}

static void compare_domain(struct bm_comparison *it, const char *type, const json_t *live,
		const json_t *follower)
{
	bool required = bm_compare_is_true(live, "required");

	compare_base(it, type, live, follower);
	if (required != bm_compare_is_true(follower, "required")) {
		bm_compare_add(it,
				bm_format("domain %s is NOT NULL on the %s only", type,
						required ? it->live : it->follower),
				bm_format("on the %s: ALTER DOMAIN %s %s NOT NULL",
						it->follower, type, required ? "SET" : "DROP"),
				!required);
	}
	compare_domain_guards(it, type, json_object_get(live, "guards"),
			json_object_get(follower, "guards"));
}

/* ---- composites ---- */

static const json_t *find_attribute(const json_t *attributes, const json_t *like)
{
	size_t index;
	const json_t *one;

	json_array_foreach(attributes, index, one)
	{
		if (bm_compare_is_same(one, like, "name")) {
			return one;
		}
	}
	return NULL;
}

static bool is_renamed_attribute(const json_t *ours, const json_t *theirs, size_t index)
{
	const json_t *a = json_array_get(ours, index), *b = json_array_get(theirs, index);

	return b != NULL && json_array_size(ours) == json_array_size(theirs) &&
			bm_compare_is_same(a, b, "type") && find_attribute(theirs, a) == NULL &&
			find_attribute(ours, b) == NULL;
}

struct composite {
	const char *alter, *name, *attribute; /* "ALTER TYPE", its name, "ATTRIBUTE" */
};

static void compare_attribute(struct bm_comparison *it, const struct composite *type,
		const json_t *ours, const json_t *theirs, size_t index)
{
	const json_t *one = json_array_get(ours, index);
	const json_t *other = find_attribute(theirs, one);
	const char *name = bm_compare_text(one, "name"), *is = bm_compare_text(one, "type");

	if (other == NULL && is_renamed_attribute(ours, theirs, index)) {
		/* The text of a value has no names. */
		const char *old = bm_compare_text(json_array_get(theirs, index), "name");
		bm_compare_add(it,
				bm_format("%s of type %s is called %s on the %s", name,
						type->name, old, it->follower),
				bm_format("on the %s: %s %s RENAME %s %s TO %s", it->follower,
						type->alter, type->name, type->attribute, old,
						name),
				false);
	} else if (other == NULL) {
		bm_compare_add(it,
				bm_format("%s of type %s is on the %s only", name, type->name,
						it->live),
				bm_format("on the %s: %s %s ADD %s %s %s", it->follower,
						type->alter, type->name, type->attribute, name,
						is),
				true);
	} else if (!bm_compare_is_same(one, other, "type")) {
		bm_compare_add(it,
				bm_format("%s of type %s is %s on the %s and %s on the %s",
						name, type->name, is, it->live,
						bm_compare_text(other, "type"), it->follower),
				bm_format("on the %s: %s %s ALTER %s %s TYPE %s", it->follower,
						type->alter, type->name, type->attribute, name,
						is),
				true);
		it->rewritten = true;
	}
}

static bool are_in_order(const json_t *ours, const json_t *theirs)
{
	size_t index;
	const json_t *one;

	json_array_foreach(ours, index, one)
	{
		if (!bm_compare_is_same(one, json_array_get(theirs, index), "name")) {
			return false;
		}
	}
	return true;
}

static void compare_composite(struct bm_comparison *it, const char *name, const json_t *live,
		const json_t *follower)
{
	const json_t *ours = json_object_get(live, "attributes");
	const json_t *theirs = json_object_get(follower, "attributes");
	bool is_table = bm_compare_is_true(live, "is_table");
	const struct composite type = {is_table ? "ALTER TABLE" : "ALTER TYPE", name,
			is_table ? "COLUMN" : "ATTRIBUTE"};
	bool same = json_array_size(ours) == json_array_size(theirs);
	size_t index;
	const json_t *one;

	json_array_foreach(ours, index, one)
	{
		compare_attribute(it, &type, ours, theirs, index);
		same = same && find_attribute(theirs, one) != NULL;
	}
	json_array_foreach(theirs, index, one)
	{
		if (find_attribute(ours, one) == NULL &&
				!is_renamed_attribute(theirs, ours, index)) {
			const char *attribute = bm_compare_text(one, "name");
			bm_compare_add(it,
					bm_format("%s of type %s is on the %s only", attribute,
							name, it->follower),
					bm_format("on the %s: %s %s DROP %s %s", it->follower,
							type.alter, name, type.attribute,
							attribute),
					true);
		}
	}
	if (same && !are_in_order(ours, theirs)) {
		bm_compare_add(it,
				bm_format("type %s has its parts in another order on the %s",
						name, it->follower),
				bm_format("on the %s: make the type anew, as the %s has it",
						it->follower, it->live),
				true);
	}
}

/* ---- all of them ---- */

void bm_compare_types(struct bm_comparison *it, const json_t *live, const json_t *follower)
{
	json_t *types = json_object_get(live, "types");
	const json_t *others = json_object_get(follower, "types");
	const char *name;
	json_t *type;

	json_object_foreach(types, name, type)
	{
		const json_t *other = json_object_get(others, name);
		const char *kind = bm_compare_text(type, "kind");
		if (other == NULL) {
			continue; /* a column, or a part of a type, has another type then */
		}
		if (!bm_compare_is_same(type, other, "kind")) {
			bm_compare_add(it,
					bm_format("type %s is of another kind on the %s", name,
							it->follower),
					bm_format("on the %s: make the type anew, as the %s "
						  "has it",
							it->follower, it->live),
					true);
		} else if (kind[0] == 'e') {
			compare_enum(it, name, type, other);
		} else if (kind[0] == 'd') {
			compare_domain(it, name, type, other);
		} else if (kind[0] == 'c') {
			compare_composite(it, name, type, other);
		} else {
			compare_base(it, name, type, other);
		}
	}
}
