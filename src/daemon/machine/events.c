/* Events in a growing array by id; when it is full, the older half goes. */
#include "daemon/machine/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

#define ROOM ((size_t)2 * BM_EVENTS_KEPT)
#define TEXT_BYTES 512
#define SUBJECT_BYTES 64

struct kept {
	uint64_t id;
	int64_t at;
	enum bm_log_level level;
	bool stored;
	char *subject, *text;
};

struct bm_events {
	struct kept *kept; /* ROOM of them */
	size_t count;
	uint64_t last_id, first_own; /* of this life; 0 none yet */
	bool complete;
	struct {
		void (*cb)(void *ctx);
		void *ctx;
	} listeners[BM_EVENTS_LISTENERS];
};

struct bm_events *bm_events_create(void)
{
	struct bm_events *events = bm_alloc(sizeof(*events));

	events->kept = bm_alloc(ROOM * sizeof(*events->kept));
	return events;
}

/* Forget the oldest `count`. */
static void drop(struct bm_events *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(events->kept[i].subject);
		free(events->kept[i].text);
	}
	events->count -= count;
	memmove(events->kept, events->kept + count, events->count * sizeof(*events->kept));
}

void bm_events_destroy(struct bm_events *events)
{
	if (events != NULL) {
		drop(events, events->count);
		free(events->kept);
		free(events);
	}
}

/* Where the first event above `after` stands, or would stand. */
static size_t place_after(const struct bm_events *events, uint64_t after)
{
	size_t low = 0, high = events->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (events->kept[middle].id > after) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return low;
}

static struct kept *put(struct bm_events *events, const struct bm_machine_event *event)
{
	if (events->count == ROOM) {
		drop(events, BM_EVENTS_KEPT);
	}
	size_t place = place_after(events, event->id);
	struct kept *kept = &events->kept[place];
	memmove(kept + 1, kept, (events->count++ - place) * sizeof(*kept));
	*kept = (struct kept){.id = event->id,
			.at = event->at,
			.level = event->level,
			.subject = bm_strdup(event->subject),
			.text = bm_strdup(event->text)};
	return kept;
}

__attribute__((format(printf, 4, 0))) static const struct kept *keep(struct bm_events *events,
		enum bm_log_level level, const char *subject, const char *format, va_list args)
{
	char name[SUBJECT_BYTES], text[TEXT_BYTES];
	int64_t now = bm_clock_wall_msec();
	uint64_t id = now > 0 && (uint64_t)now > events->last_id ? (uint64_t)now
								 : events->last_id + 1;

	bm_text_copy(name, sizeof(name), subject);
	vsnprintf(text, sizeof(text), format, args);
	/* Lists of errors and warnings end with a newline. */
	size_t length = strlen(text);
	if (length > 0 && text[length - 1] == '\n') {
		text[length - 1] = '\0';
	}
	events->last_id = id;
	events->first_own = events->first_own == 0 ? id : events->first_own;
	return put(events, &(struct bm_machine_event){id, now, level, name, text});
}

static void report(struct bm_events *events)
{
	for (size_t i = 0; i < BM_EVENTS_LISTENERS; i++) {
		if (events->listeners[i].cb != NULL) {
			events->listeners[i].cb(events->listeners[i].ctx);
		}
	}
}

void bm_events_record(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	keep(events, level, subject, format, args);
	va_end(args);
	report(events);
}

void bm_events_add(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	const struct kept *kept = keep(events, level, subject, format, args);
	va_end(args);
	bm_log(level, "machine", BM_FIELDS(bm_str("subject", kept->subject)), "%s", kept->text);
	report(events);
}

void bm_events_add_lines(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *lines)
{
	while (*lines != '\0') {
		int length = (int)strcspn(lines, "\n");
		bm_events_add(events, level, subject, "%.*s", length, lines);
		lines += length + (lines[length] == '\n');
	}
}

static void show(const struct kept *kept, struct bm_machine_event *out)
{
	*out = (struct bm_machine_event){
			.id = kept->id,
			.at = kept->at,
			.level = kept->level,
			.subject = kept->subject,
			.text = kept->text,
	};
}

bool bm_events_after(
		const struct bm_events *events, uint64_t after, struct bm_machine_event *out)
{
	size_t place = place_after(events, after);

	if (place == events->count ||
			(!events->complete && after > 0 && after < events->first_own)) {
		return false;
	}
	show(&events->kept[place], out);
	return true;
}

void bm_events_listen(struct bm_events *events, enum bm_events_listener who,
		void (*cb)(void *ctx), void *ctx)
{
	events->listeners[who].cb = cb;
	events->listeners[who].ctx = ctx;
}

/* ---- for the store ---- */

void bm_events_insert(
		struct bm_events *events, const struct bm_machine_event *event, bool stored)
{
	size_t place = place_after(events, event->id);

	if (place > 0 && events->kept[place - 1].id == event->id) {
		return;
	}
	if (events->count < ROOM) {
		put(events, event)->stored = stored;
	}
}

void bm_events_raise(struct bm_events *events, uint64_t id)
{
	if (events->count > 0 && events->kept[0].id <= id) {
		for (size_t i = 0; i < events->count; i++) {
			events->kept[i].id = ++id;
		}
		events->first_own = events->kept[0].id;
	}
	events->last_id = events->last_id > id ? events->last_id : id;
}

void bm_events_complete(struct bm_events *events)
{
	if (!events->complete) {
		events->complete = true;
		report(events);
	}
}

bool bm_events_is_complete(const struct bm_events *events)
{
	return events->complete;
}

bool bm_events_next_unstored(
		const struct bm_events *events, uint64_t after, struct bm_machine_event *out)
{
	for (size_t i = place_after(events, after); i < events->count; i++) {
		if (!events->kept[i].stored) {
			show(&events->kept[i], out);
			return true;
		}
	}
	return false;
}

void bm_events_set_stored(struct bm_events *events, uint64_t id)
{
	size_t place = place_after(events, id);

	if (place > 0 && events->kept[place - 1].id == id) {
		events->kept[place - 1].stored = true;
	}
}

void bm_events_set_none_stored(struct bm_events *events)
{
	for (size_t i = 0; i < events->count; i++) {
		events->kept[i].stored = false;
	}
}
