/*
 * escalation - which repair comes next for a sync that makes no progress. Pure.
 *
 * No step loses a row: what was captured stays in the delta tables of the
 * source until a run has applied it. A step gets time to work before the next.
 */
#ifndef DAEMON_HEALTH_ESCALATION_H
#define DAEMON_HEALTH_ESCALATION_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/health.h"
#include "bucardo_machine/observation.h"

struct escalation_state {
	enum bm_escalation step; /* the highest one taken in this stall */
	uint64_t taken_msec;	 /* when */
};

/*
 * The step to take now, BM_ESCALATION_NONE for none; does not change `state`.
 * `steady_msec` is since when Bucardo runs undisturbed: time before that is not
 * held against the last step. Only for a stalled sync. On a slow host each step has
 * `slowness` times its time.
 */
enum bm_escalation escalation_next(const struct escalation_state *state, enum bm_health health,
		uint64_t steady_msec, uint64_t now_msec, unsigned slowness);

/* Note that `step` was taken. */
void escalation_taken(
		struct escalation_state *state, enum bm_escalation step, uint64_t now_msec);

/*
 * Whether what was taken can be forgotten: rows were applied since, or another
 * trouble has a name. A restart alone proves nothing: the sync is not called stalled
 * for a while, and must go on where it was. Past the last step a restart is a
 * person's, and everything is tried again; so it is after a while without one.
 */
bool escalation_is_over(const struct escalation_state *state, enum bm_health health,
		uint64_t applied_msec, uint64_t steady_msec, uint64_t now_msec);

#endif
