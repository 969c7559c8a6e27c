/* The walk over facts and rules. */
#include "worker/doctor/evaluate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/words.h"
#include "worker/doctor/rules.h"

/* ---- tests ---- */

static bool passes(const struct bm_doctor_test *test, const json_t *row)
{
	const json_t *member = test->member != NULL ? json_object_get(row, test->member) : NULL;
	const char *text = json_string_value(member);

	switch (test->op) {
	case BM_DOCTOR_ANY:
		return true;
	case BM_DOCTOR_AT_LEAST:
		return json_is_number(member) && json_number_value(member) >= test->number;
	case BM_DOCTOR_AT_MOST:
		return json_is_number(member) && json_number_value(member) <= test->number;
	case BM_DOCTOR_IS:
		return text != NULL && strcmp(text, test->text) == 0;
	case BM_DOCTOR_HAS:
		return text != NULL && strstr(text, test->text) != NULL;
	}
	return false;
}

static const struct bm_doctor_rule *rule_for(const char *fact, const json_t *row)
{
	for (size_t i = 0; i < bm_doctor_rule_count; i++) {
		const struct bm_doctor_rule *rule = &bm_doctor_rules[i];
		bool fires = strcmp(rule->fact, fact) == 0;
		for (size_t k = 0; fires && k < BM_DOCTOR_TESTS; k++) {
			fires = passes(&rule->tests[k], row);
		}
		if (fires) {
			return rule;
		}
	}
	return NULL;
}

/* ---- texts ---- */

struct about {
	const json_t *row;
	const char *side, *migration;
};

static bool ends(const char *name, const char *ending)
{
	size_t length = strlen(name), tail = strlen(ending);

	return length > tail && strcmp(name + length - tail, ending) == 0;
}

static void put_number(const char *name, const json_t *value, struct bm_strbuf *out)
{
	double number = json_number_value(value);
	char span[BM_CLOCK_TEXT_SIZE];

	if (ends(name, "_bytes")) {
		bm_words_size(out, (int64_t)number);
	} else if (ends(name, "_sec")) {
		number = number < 0 ? -number : number;
		bm_strbuf_puts(out, bm_clock_format_span((uint64_t)(number * 1000), span));
	} else {
		bm_strbuf_printf(out, "%.15g", number);
	}
}

static void put_member(const struct about *about, const char *name, struct bm_strbuf *out)
{
	const json_t *value = json_object_get(about->row, name);

	if (strcmp(name, "side") == 0) {
		bm_strbuf_puts(out, about->side);
	} else if (strcmp(name, "migration") == 0) {
		bm_strbuf_puts(out, about->migration);
	} else if (json_is_number(value)) {
		put_number(name, value, out);
	} else {
		bm_strbuf_puts(out,
				json_is_string(value) ? json_string_value(value) : "unknown");
	}
}

/* A new string. */
static json_t *fill(const char *text, const struct about *about)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	char name[32];

	while (*text != '\0') {
		size_t plain = strcspn(text, "{");
		bm_strbuf_add(&out, text, plain);
		text += plain;
		size_t length = *text == '{' ? strcspn(text, "}") : 0;
		if (length > 1 && length <= sizeof(name)) {
			snprintf(name, sizeof(name), "%.*s", (int)(length - 1), text + 1);
			put_member(about, name, &out);
			text += length + 1;
		} else if (length > 0) {
			bm_strbuf_putc(&out, *text++);
		}
	}
	json_t *filled = bm_json_text(bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
	return filled;
}

/* ---- findings ---- */

static json_t *finding_of(const struct bm_doctor_rule *rule, const struct about *about)
{
	json_t *finding = json_object();

	json_object_set_new(finding, "rule", json_string(rule->name));
	json_object_set_new(finding, "severity", json_string(bm_severity_name(rule->severity)));
	json_object_set_new(finding, "side", json_string(about->side));
	json_object_set_new(finding, "object", fill(rule->object, about));
	json_object_set_new(finding, "cause", fill(rule->cause, about));
	json_object_set_new(finding, "evidence", json_pack("[O]", about->row));
	json_object_set_new(finding, "did", fill(rule->did, about));
	json_object_set_new(finding, "hint", fill(rule->hint, about));
	return finding;
}

static bool is_same(const json_t *a, const json_t *b, const char *member)
{
	return json_equal(json_object_get(a, member), json_object_get(b, member));
}

/* Rows about the same thing are one finding; of a rule there are only so many. */
static void add(json_t *findings, json_t *finding)
{
	size_t index, alike = 0;
	json_t *other, *last = NULL;

	json_array_foreach(findings, index, other)
	{
		if (is_same(other, finding, "rule") && is_same(other, finding, "side")) {
			alike++;
			last = other;
			if (is_same(other, finding, "object")) {
				json_array_extend(json_object_get(other, "evidence"),
						json_object_get(finding, "evidence"));
				json_decref(finding);
				return;
			}
		}
	}
	if (alike < BM_DOCTOR_EACH) {
		json_array_append_new(findings, finding);
		return;
	}
	json_int_t more = json_integer_value(json_object_get(last, "more"));
	json_object_set_new(last, "more", json_integer(more + 1));
	json_decref(finding);
}

static void take_fact(json_t *findings, const char *fact, const json_t *rows,
		const struct about *place)
{
	size_t index;
	json_t *row;

	json_array_foreach(rows, index, row)
	{
		const struct bm_doctor_rule *rule = rule_for(fact, row);
		if (rule != NULL) {
			struct about about = *place;
			about.row = row;
			add(findings, finding_of(rule, &about));
		}
	}
}

static void take_place(json_t *findings, const json_t *facts, const struct about *place)
{
	const char *fact;
	json_t *rows;

	json_object_foreach(
			(json_t *)(uintptr_t)json_object_get(facts, place->side), fact, rows)
	{
		take_fact(findings, fact, rows, place);
	}
}

static json_t *by_severity(json_t *findings)
{
	json_t *sorted = json_array();
	size_t index;
	json_t *finding;

	for (enum bm_severity s = 0; s < BM_SEVERITY_COUNT; s++) {
		json_array_foreach(findings, index, finding)
		{
			if (strcmp(json_string_value(json_object_get(finding, "severity")),
					    bm_severity_name(s)) == 0) {
				json_array_append(sorted, finding);
			}
		}
	}
	json_decref(findings);
	return sorted;
}

json_t *bm_doctor_evaluate(const json_t *facts, const char *migration)
{
	static const char *const places[] = {"source", "destination", "machine"};
	json_t *findings = json_array();

	for (size_t i = 0; i < BM_COUNT_OF(places); i++) {
		take_place(findings, facts,
				&(struct about){.side = places[i], .migration = migration});
	}
	return by_severity(findings);
}
