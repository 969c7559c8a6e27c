/* A ring of events; the id grows by one, so its place in the ring is id modulo size. */
#include "machine/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

struct kept {
	uint64_t id; /* 0: free */
	int64_t at;
	enum bm_log_level level;
	char subject[64];
	char text[512];
};

struct bm_events {
	struct kept ring[BM_EVENTS_KEPT];
	uint64_t last_id;
	void (*cb)(void *ctx);
	void *ctx;
};

struct bm_events *bm_events_create(void)
{
	return bm_alloc(sizeof(struct bm_events));
}

void bm_events_destroy(struct bm_events *events)
{
	free(events);
}

__attribute__((format(printf, 4, 0))) static const struct kept *keep(struct bm_events *events,
		enum bm_log_level level, const char *subject, const char *format, va_list args)
{
	struct kept *kept = &events->ring[++events->last_id % BM_EVENTS_KEPT];

	kept->id = events->last_id;
	kept->at = bm_clock_wall_msec();
	kept->level = level;
	bm_text_copy(kept->subject, sizeof(kept->subject), subject);
	vsnprintf(kept->text, sizeof(kept->text), format, args);
	/* Lists of errors and warnings end with a newline. */
	size_t length = strlen(kept->text);
	if (length > 0 && kept->text[length - 1] == '\n') {
		kept->text[length - 1] = '\0';
	}
	return kept;
}

static void tell(struct bm_events *events)
{
	if (events->cb != NULL) {
		events->cb(events->ctx);
	}
}

void bm_events_note(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	keep(events, level, subject, format, args);
	va_end(args);
	tell(events);
}

void bm_events_add(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	const struct kept *kept = keep(events, level, subject, format, args);
	va_end(args);
	bm_log(level, "machine", BM_FIELDS(bm_str("subject", kept->subject)), "%s", kept->text);
	tell(events);
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

bool bm_events_after(
		const struct bm_events *events, uint64_t after, struct bm_machine_event *out)
{
	uint64_t id = after + 1;

	if (events->last_id > BM_EVENTS_KEPT && id <= events->last_id - BM_EVENTS_KEPT) {
		id = events->last_id - BM_EVENTS_KEPT + 1;
	}
	if (id > events->last_id) {
		return false;
	}
	const struct kept *kept = &events->ring[id % BM_EVENTS_KEPT];
	*out = (struct bm_machine_event){
			.id = kept->id,
			.at = kept->at,
			.level = kept->level,
			.subject = kept->subject,
			.text = kept->text,
	};
	return true;
}

void bm_events_listen(struct bm_events *events, void (*cb)(void *ctx), void *ctx)
{
	events->cb = cb;
	events->ctx = ctx;
}
