/*
 * restarts - is Bucardo restarted again and again?
 *
 * Pure: fed with each change of its unit. A stop or a restart that a
 * person asked for does not count.
 */
#ifndef DAEMON_SUPERVISE_RESTARTS_H
#define DAEMON_SUPERVISE_RESTARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/supervise.h"

/* Deaths this close together are one incident: a burst while PostgreSQL recovers is none to
 * tell. */
#define RESTARTS_CLOSE_MSEC 10000

/* A burst of so many that lasts this long is. */
#define RESTARTS_BURST 5
#define RESTARTS_BURST_MSEC 15000

/* So many incidents within RESTARTS_WITHIN_MSEC are too many. It is over when none has come for
 * twice as long as there was between them, and for RESTARTS_CALM_MSEC at least. */
#define RESTARTS_MANY 6
#define RESTARTS_WITHIN_MSEC 900000
#define RESTARTS_CALM_MSEC 30000

struct restarts {
	enum bm_unit_state state;	 /* as it was seen last, */
	unsigned renewals;		 /* and of the unit's own count */
	uint64_t at_msec[RESTARTS_MANY]; /* when incidents began, the newest first; 0 none */
	uint64_t last_msec;		 /* the last death */
	unsigned burst;			 /* deaths of the newest incident */
	char why[160];			 /* of the last one */
};

void bm_restarts_see(
		struct restarts *restarts, const struct bm_unit_view *unit, uint64_t now_msec);

/* Whether there are too many; then `why` says how many, and the last reason. */
bool bm_restarts_are_many(
		const struct restarts *restarts, uint64_t now_msec, struct bm_strbuf *why);

#endif
