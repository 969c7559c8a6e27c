/*
 * events - what happened, for `events` and the log alike
 *
 * Memory holds at least the newest BM_EVENTS_KEPT. An event's id is a serial number that
 * grows over restarts: the wall clock in msec where that is above the one before, else one
 * more. event_store.h keeps them in the control database, and brings those of earlier lives.
 */
#ifndef DAEMON_MACHINE_EVENTS_H
#define DAEMON_MACHINE_EVENTS_H

#include "bucardo_machine/machine.h"

#define BM_EVENTS_KEPT 10000

struct bm_events;

struct bm_events *bm_events_create(void);
void bm_events_destroy(struct bm_events *events); /* NULL is accepted */

/* Remember one event that the log has already. */
void bm_events_record(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Remember one event and write it to the log. */
void bm_events_add(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* One event for each line of `lines`: an event keeps 511 bytes. */
void bm_events_add_lines(struct bm_events *events, enum bm_log_level level, const char *subject,
		const char *lines);

/*
 * The oldest event with an id above `after`; texts live until the next event. Who asks for
 * what follows an event of an earlier life gets nothing before bm_events_complete(): those
 * that are still to be read would be missed.
 */
bool bm_events_after(
		const struct bm_events *events, uint64_t after, struct bm_machine_event *out);

/* Call `cb` after each new event; two listeners: control, and the store. */
enum bm_events_listener { BM_EVENTS_CONTROL, BM_EVENTS_STORE, BM_EVENTS_LISTENERS };
void bm_events_listen(struct bm_events *events, enum bm_events_listener who,
		void (*cb)(void *ctx), void *ctx);

/* ---- for the store ---- */

/* Put an event of an earlier life in its place; one that is there already stays. */
void bm_events_insert(
		struct bm_events *events, const struct bm_machine_event *event, bool stored);

/* Events of earlier lives have ids up to `id`: where the clock was set back, those of this
 * life get new ones above it. Before the first bm_events_insert(). */
void bm_events_raise(struct bm_events *events, uint64_t id);

/* All that there is to be read was read, or will not be. */
void bm_events_complete(struct bm_events *events);
bool bm_events_is_complete(const struct bm_events *events);

/* The oldest event above `after` that is not stored. */
bool bm_events_next_unstored(
		const struct bm_events *events, uint64_t after, struct bm_machine_event *out);
void bm_events_set_stored(struct bm_events *events, uint64_t id);
/* What was stored is gone. */
void bm_events_set_none_stored(struct bm_events *events);

#endif
