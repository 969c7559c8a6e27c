/*
 * unit_table - the behaviour of a unit as data; shared by unit.c and its test,
 * which walks it: every state reachable, none a trap, every wait with a limit.
 */
#ifndef DAEMON_SUPERVISE_UNIT_TABLE_H
#define DAEMON_SUPERVISE_UNIT_TABLE_H

#include "bucardo_machine/supervise.h"

struct bm_unit_transition {
	enum bm_unit_state next;
	void (*action)(struct bm_unit *unit);
	const char *why; /* NULL marks an event that is ignored in this state */
};

const struct bm_unit_transition *bm_unit_transition(
		enum bm_unit_state state, enum bm_unit_event event);

#endif
