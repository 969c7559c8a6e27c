/* Objects of subjects, walked and compared. */
#include "client/notify/notify_changes.h"

#include <string.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/strbuf.h"
#include "client/notify/notify_states.h"

/* Of one change, in the text; a message fits into a variable of the environment. */
#define TEXT_BYTES 600

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static bool is_same(const json_t *a, const json_t *b)
{
	return strcmp(text_of(a, "value"), text_of(b, "value")) == 0;
}

static bool is_gone(const json_t *state)
{
	return state == NULL || strcmp(text_of(state, "value"), NOTIFY_GONE) == 0;
}

/* It was sent something of it, and nobody knows whether that arrived. */
static bool is_doubtful(const json_t *state)
{
	return strcmp(text_of(state, "value"), NOTIFY_DOUBTFUL) == 0;
}

/* ---- what has lasted ---- */

void notify_settled_init(struct notify_settled *settled)
{
	settled->states = json_object();
	settled->candidates = json_object();
}

void notify_settled_finish(struct notify_settled *settled)
{
	json_decref(settled->states);
	json_decref(settled->candidates);
	*settled = (struct notify_settled){0};
}

static void settle_one(struct notify_settled *settled, const char *subject, json_t *state,
		uint64_t now_msec, uint64_t settle_msec)
{
	json_t *before = json_object_get(settled->states, subject);
	json_t *candidate = json_object_get(settled->candidates, subject);

	if (before != NULL && is_same(before, state)) {
		json_object_set(settled->states, subject, state); /* its text is newer */
		json_object_del(settled->candidates, subject);
		return;
	}
	if (candidate == NULL || !is_same(json_object_get(candidate, "state"), state)) {
		candidate = json_pack("{s:O, s:I}", "state", state, "since_msec",
				(json_int_t)now_msec);
		json_object_set_new(settled->candidates, subject, candidate);
	}
	uint64_t since = (uint64_t)json_integer_value(json_object_get(candidate, "since_msec"));
	if (now_msec - since >= settle_msec) {
		json_object_set(settled->states, subject, state);
		json_object_del(settled->candidates, subject);
	}
}

/* What is known to be no more. */
static void settle_gone(struct notify_settled *settled, const json_t *states, uint64_t now_msec,
		uint64_t settle_msec)
{
	json_t *gone = json_pack(
			"{s:s, s:s, s:s}", "value", NOTIFY_GONE, "level", "info", "text", "");
	json_t *before = json_copy(settled->states);
	const char *subject;
	json_t *state;

	json_object_foreach(before, subject, state)
	{
		if (json_object_get(states, subject) != NULL ||
				notify_is_unknown(states, subject)) {
			continue;
		}
		settle_one(settled, subject, gone, now_msec, settle_msec);
	}
	json_decref(before);
	json_decref(gone);
}

/* Of what nothing is known now, nothing is lasting either. */
static void forget_unknown(struct notify_settled *settled, const json_t *states)
{
	json_t *candidates = json_copy(settled->candidates);
	const char *subject;
	json_t *candidate;

	json_object_foreach(candidates, subject, candidate)
	{
		if (!json_is_object(json_object_get(states, subject)) &&
				(notify_is_unknown(states, subject) ||
						json_object_get(settled->states, subject) ==
								NULL)) {
			json_object_del(settled->candidates, subject);
		}
	}
	json_decref(candidates);
}

void notify_settle(struct notify_settled *settled, const json_t *states, uint64_t now_msec,
		uint64_t settle_msec)
{
	const char *subject;
	json_t *state;

	json_object_foreach((json_t *)(uintptr_t)states, subject, state)
	{
		if (json_is_object(state)) {
			settle_one(settled, subject, state, now_msec, settle_msec);
		}
	}
	forget_unknown(settled, states);
	settle_gone(settled, states, now_msec, settle_msec);
}

/* ---- what is to be told ---- */

static json_t *change_of(const char *subject, const json_t *was, const json_t *now)
{
	enum bm_log_level level = notify_level(now);
	json_t *value = json_object_get(was, is_doubtful(was) ? "was" : "value");

	return json_pack("{s:o, s:o, s:O, s:s, s:O}", "subject", bm_json_text(subject), "was",
			value != NULL ? json_incref(value) : json_null(), "now",
			json_object_get(now, "value"), "level", bm_log_level_name(level),
			"text", json_object_get(now, "text"));
}

static bool is_wanted(const json_t *was, const json_t *now, enum bm_log_level least)
{
	enum bm_log_level worst = notify_level(now);

	if (was == NULL) {
		return worst >= BM_LOG_WARN && worst >= least;
	}
	return worst >= least || notify_level(was) >= least;
}

static void put_told(json_t *told, const char *subject, const json_t *state)
{
	if (is_gone(state)) {
		json_object_del(told, subject);
	} else {
		json_object_set(told, subject, (json_t *)(uintptr_t)state);
	}
}

json_t *notify_pending(json_t *told, const json_t *settled, enum bm_log_level least, bool *put)
{
	json_t *changes = json_array();
	const char *subject;
	json_t *now;

	json_object_foreach((json_t *)(uintptr_t)settled, subject, now)
	{
		const json_t *was = json_object_get(told, subject);
		if (is_doubtful(now) || (was == NULL ? is_gone(now) : is_same(was, now))) {
			continue;
		}
		if (!is_wanted(was, now, least)) {
			put_told(told, subject, now);
			*put = true;
		} else if (json_array_size(changes) < NOTIFY_CHANGES_LIMIT) {
			json_array_append_new(changes, change_of(subject, was, now));
		}
	}
	return changes;
}

void notify_sent(json_t *told, const json_t *changes)
{
	size_t index;
	const json_t *change;

	json_array_foreach(changes, index, change)
	{
		const char *subject = text_of(change, "subject");
		enum bm_log_level before = notify_level(json_object_get(told, subject));
		enum bm_log_level now = notify_level(change);
		json_object_set_new(told, subject,
				json_pack("{s:s, s:s, s:s, s:O}", "value", NOTIFY_DOUBTFUL,
						"level",
						bm_log_level_name(before > now ? before : now),
						"text", "", "was",
						json_object_get(change, "was")));
	}
}

void notify_told(json_t *told, const json_t *changes)
{
	size_t index;
	const json_t *change;

	json_array_foreach(changes, index, change)
	{
		json_t *state = json_pack("{s:O, s:O, s:O}", "value",
				json_object_get(change, "now"), "level",
				json_object_get(change, "level"), "text",
				json_object_get(change, "text"));
		put_told(told, text_of(change, "subject"), state);
		json_decref(state);
	}
}

/* ---- the message ---- */

static void write_change(const json_t *change, struct bm_strbuf *out)
{
	const char *was = json_string_value(json_object_get(change, "was"));
	const char *text = text_of(change, "text");

	bm_strbuf_printf(out, "\n%s: %s", text_of(change, "subject"), text_of(change, "now"));
	if (was != NULL && strcmp(was, text_of(change, "now")) != 0) {
		bm_strbuf_printf(out, " (was %s)", was);
	}
	if (text[0] != '\0') {
		bm_strbuf_printf(out, ": %.*s", TEXT_BYTES, text);
	}
}

json_t *notify_message(const json_t *changes, const char *host, const char *time, int ready)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index;
	const json_t *change;
	const char *kind = json_array_size(changes) > 0 ? "change" : "test";

	bm_strbuf_printf(&text, "bucardo-machine on %s%s", host,
			ready == 0		    ? ", not ready"
					: ready > 0 ? ", ready"
						    : "");
	json_array_foreach(changes, index, change)
	{
		write_change(change, &text);
	}
	if (index == 0) {
		bm_strbuf_puts(&text, "\nthis is a test: messages arrive here");
	}
	json_t *message = json_pack("{s:i, s:s, s:o, s:s, s:o, s:o, s:O}", "schema", 1, "kind",
			kind, "host", bm_json_text(host), "time", time, "ready",
			ready < 0 ? json_null() : json_boolean(ready), "text",
			bm_json_text(bm_strbuf_text(&text)), "changes", changes);
	bm_strbuf_finish(&text);
	return message;
}
