/*
 * notify_states - what can be told of the machine, out of its status
 *
 * A table of subjects: the machine, its databases, syncs and units, and of each migration where
 * it stands, which side is live, its last cut-over, its rows, its paused tables and what the
 * doctor found. A state is a word that stays the same while nothing changes, how bad it is, and
 * a sentence for people, which may change all the time. Pure.
 */
#ifndef CLIENT_NOTIFY_NOTIFY_STATES_H
#define CLIENT_NOTIFY_NOTIFY_STATES_H

#include <jansson.h>
#include <stdbool.h>

#include "bucardo_machine/log.h"

/*
 * An object of states: subject ("migration app") to {"value", "level", "text"}; or to null:
 * of all subjects that begin so nothing is known now. `status`: the member of the daemon's
 * answer; NULL: it does not answer, for the reason `why`. To be released.
 */
json_t *notify_states(const json_t *status, const char *why);

/* Whether nothing is known now of this subject. */
bool notify_is_unknown(const json_t *states, const char *subject);

/* How bad a state is; info of NULL. */
enum bm_log_level notify_level(const json_t *state);

/* "warn"; info of what is none. */
enum bm_log_level notify_level_of(const char *name);

#endif
