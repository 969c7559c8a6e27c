/* One JSON object a line; an event with a member that is missing or wrong is nonsense. */
#include "bucardo_machine/phase_line.h"

#include <jansson.h>
#include <string.h>

#include "bucardo_machine/macros.h"

#define NAME_OF(names, value) ((size_t)(value) < BM_COUNT_OF(names) ? names[value] : "unknown")

const char *bm_failure_name(enum bm_failure failure)
{
	static const char *const names[] = {
			[BM_FAILURE_TRANSIENT] = "transient",
			[BM_FAILURE_OPERATOR] = "operator",
			[BM_FAILURE_INTERNAL] = "internal",
	};
	static_assert(BM_COUNT_OF(names) == BM_FAILURE_COUNT, "a failure has no name");

	return NAME_OF(names, failure);
}

const char *bm_severity_name(enum bm_severity severity)
{
	static const char *const names[] = {
			[BM_SEVERITY_STOPS] = "stops",
			[BM_SEVERITY_DEGRADES] = "degrades",
			[BM_SEVERITY_NOTE] = "note",
	};
	static_assert(BM_COUNT_OF(names) == BM_SEVERITY_COUNT, "a severity has no name");

	return NAME_OF(names, severity);
}

static const char *text_of(const json_t *root, const char *member)
{
	const char *text = json_string_value(json_object_get(root, member));

	return text != NULL ? text : "";
}

static int find_word(const char *word, const char *(*name_of)(size_t index), size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name_of(i), word) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static const char *severity_name(size_t index)
{
	return bm_severity_name((enum bm_severity)index);
}

static const char *failure_name(size_t index)
{
	return bm_failure_name((enum bm_failure)index);
}

/* A number that may be missing (-1), but not be anything else. */
static bool take_number(const json_t *root, const char *member, int64_t *out)
{
	const json_t *value = json_object_get(root, member);

	*out = value != NULL ? json_integer_value(value) : -1;
	return value == NULL || (json_is_integer(value) && *out >= 0);
}

static bool is_part(const json_t *part)
{
	int64_t done, total, age;

	return json_is_string(json_object_get(part, "name")) &&
			json_is_string(json_object_get(part, "step")) &&
			take_number(part, "done", &done) &&
			take_number(part, "total", &total) &&
			take_number(part, "age_ms", &age) && done >= 0 && total >= done &&
			age >= 0;
}

static bool take_in_flight(const json_t *root, struct bm_phase_line *line)
{
	size_t index;
	const json_t *part;

	line->in_flight = json_object_get(root, "in_flight");
	if (json_array_size(line->in_flight) > BM_PHASE_PARTS) {
		return false;
	}
	json_array_foreach(line->in_flight, index, part)
	{
		if (!is_part(part)) {
			return false;
		}
	}
	return line->in_flight == NULL || json_is_array(line->in_flight);
}

static bool take_progress(const json_t *root, struct bm_phase_line *line)
{
	return take_number(root, "done", &line->done) &&
			take_number(root, "total", &line->total) && line->done >= 0 &&
			line->total >= 0 && take_number(root, "rows", &line->rows) &&
			take_number(root, "pieces_done", &line->pieces_done) &&
			take_number(root, "pieces_total", &line->pieces_total) &&
			take_number(root, "left_ms", &line->left_msec) &&
			take_in_flight(root, line);
}

static bool take_finding(const json_t *root, struct bm_phase_line *line)
{
	int severity = find_word(text_of(root, "severity"), severity_name, BM_SEVERITY_COUNT);

	line->severity = (enum bm_severity)severity;
	line->safe = json_is_true(json_object_get(root, "safe"));
	return severity >= 0 && line->why[0] != '\0';
}

static bool take_note(const json_t *root, struct bm_phase_line *line)
{
	(void)root;
	return line->text[0] != '\0';
}

static bool take_nothing(const json_t *root, struct bm_phase_line *line)
{
	(void)root;
	(void)line;
	return true;
}

static bool take_evidence(const json_t *root, struct bm_phase_line *line)
{
	line->evidence = json_object_get(root, "evidence");
	return json_is_object(line->evidence);
}

static bool take_plan(const json_t *root, struct bm_phase_line *line)
{
	line->evidence = json_object_get(root, "plan");
	return json_is_object(line->evidence);
}

static bool take_failed(const json_t *root, struct bm_phase_line *line)
{
	int failure = find_word(text_of(root, "class"), failure_name, BM_FAILURE_COUNT);

	line->failure = (enum bm_failure)failure;
	line->evidence = json_object_get(root, "evidence");
	return failure >= 0 && line->message[0] != '\0' &&
			(line->evidence == NULL || json_is_object(line->evidence));
}

static const struct {
	const char *name;
	bool (*take)(const json_t *root, struct bm_phase_line *line);
} events[] = {
		[BM_PHASE_EVENT_PROGRESS] = {"progress", take_progress},
		[BM_PHASE_EVENT_FINDING] = {"finding", take_finding},
		[BM_PHASE_EVENT_NOTE] = {"note", take_note},
		[BM_PHASE_EVENT_PLAN] = {"plan", take_plan},
		[BM_PHASE_EVENT_DONE] = {"done", take_evidence},
		[BM_PHASE_EVENT_FAILED] = {"failed", take_failed},
		[BM_PHASE_EVENT_RECONCILED] = {"reconciled", take_evidence},
		[BM_PHASE_EVENT_ALIVE] = {"alive", take_nothing},
};
static_assert(BM_COUNT_OF(events) == BM_PHASE_EVENT_COUNT, "an event has no row");

const char *bm_phase_event_name(enum bm_phase_event event)
{
	return events[event].name;
}

static bool take_event(const json_t *root, struct bm_phase_line *line)
{
	const char *name = text_of(root, "event");

	for (size_t i = 0; i < BM_COUNT_OF(events); i++) {
		if (strcmp(events[i].name, name) == 0) {
			line->event = (enum bm_phase_event)i;
			return events[i].take(root, line);
		}
	}
	return false;
}

int bm_phase_line_decode(const char *text, size_t length, struct bm_phase_decoded *out,
		struct bm_error *err)
{
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	*out = (struct bm_phase_decoded){.root = root,
			.line = {.unit = text_of(root, "unit"),
					.text = text_of(root, "text"),
					.object = text_of(root, "object"),
					.why = text_of(root, "why"),
					.hint = text_of(root, "hint"),
					.message = text_of(root, "message")}};
	if (!json_is_object(root) || json_integer_value(json_object_get(root, "v")) != 1 ||
			!take_event(root, &out->line)) {
		int shown = length < 80 ? (int)length : 80;
		return bm_error_set(err, BM_ERR_INTERNAL,
				"the phase worker printed a line that makes no sense: '%.*s'",
				shown, text);
	}
	return 0;
}

void bm_phase_line_finish(struct bm_phase_decoded *decoded)
{
	json_decref(decoded->root);
	decoded->root = NULL;
}
