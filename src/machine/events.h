/* events - the last things that happened, for `events` and the log alike. */
#ifndef MACHINE_EVENTS_H
#define MACHINE_EVENTS_H

#include "bucardo_machine/machine.h"

#define BM_EVENTS_KEPT 500

struct bm_events;

struct bm_events *bm_events_create(void);
void bm_events_destroy(struct bm_events *events); /* NULL is accepted */

/* Remember one event that the log has already. */
void bm_events_note(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Remember one event and write it to the log. */
void bm_events_add(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* One event for each line of `lines`: an event keeps 511 bytes. */
void bm_events_add_lines(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *lines);

/* The oldest event with an id above `after`; texts live until it is overwritten. */
bool bm_events_after(
		const struct bm_events *events, uint64_t after, struct bm_machine_event *out);

/* Call `cb` after each new event; one listener. */
void bm_events_listen(struct bm_events *events, void (*cb)(void *ctx), void *ctx);

#endif
