/*
 * notify_changes - which changes of state are told, and the message that tells them
 *
 * A state is settled once it has lasted; of what comes and goes sooner nobody hears. What a
 * receiver was told last is compared with what is settled now, so that a message always has
 * the latest state, however much was missed. Pure; moments are those of bm_clock_msec().
 *
 *     states (notify_states.h) -> notify_settle() -> notify_pending() -> notify_message()
 *                                                 -> notify_told() when it was delivered
 */
#ifndef CLIENT_NOTIFY_NOTIFY_CHANGES_H
#define CLIENT_NOTIFY_NOTIFY_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/log.h"

/* Most changes in one message; the rest is in the next one. */
#define NOTIFY_CHANGES_LIMIT 50

/* Of what is no subject any more. */
#define NOTIFY_GONE "gone"

/* Of what was sent and not answered: only ever in what a receiver was told. */
#define NOTIFY_DOUBTFUL "?"

struct notify_settled {
	json_t *states;	    /* subject to state */
	json_t *candidates; /* subject to {"state", "since_msec"}: not long enough yet */
};

/* What was told in an earlier life may be put into `states`: it goes on from there. */
void notify_settled_init(struct notify_settled *settled);
void notify_settled_finish(struct notify_settled *settled);

void notify_settle(struct notify_settled *settled, const json_t *states, uint64_t now_msec,
		uint64_t settle_msec);

/*
 * What the receiver that was told `told` has to hear: a list of {"subject", "was" (null: it
 * never heard of it), "now", "level", "text"}, to be released. What it does not want to hear
 * (below `least`, before and now) is put into `told` at once, and `*put` becomes true. A state
 * that is no trouble is no news to who never heard of its subject.
 */
json_t *notify_pending(json_t *told, const json_t *settled, enum bm_log_level least, bool *put);

/*
 * These are being sent: until they were delivered nobody knows what the receiver knows, so that
 * it is sent the state of then, whatever that is.
 */
void notify_sent(json_t *told, const json_t *changes);

/* These were delivered. */
void notify_told(json_t *told, const json_t *changes);

/*
 * The message, as docs/notify.md has it: `host` sends it at `time`. `ready`: -1 not known.
 * No changes: it is a test. To be released.
 */
json_t *notify_message(const json_t *changes, const char *host, const char *time, int ready);

#endif
