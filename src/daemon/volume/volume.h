/*
 * volume - look at the persistent volume without changing it
 *
 * Answers one question: may the machine work on this volume, and if not, why and
 * what is the fix. Every row of the table in docs/architecture.md ("what is
 * found at start") that ends in a hold is a state here.
 */
#ifndef DAEMON_VOLUME_VOLUME_H
#define DAEMON_VOLUME_VOLUME_H

#include "bucardo_machine/postgres.h"

enum bm_volume_state {
	BM_VOLUME_USABLE,
	BM_VOLUME_ROOT_USER, /* we run as root: PostgreSQL would refuse */
	BM_VOLUME_MISSING,   /* no folder at the path */
	BM_VOLUME_READ_ONLY,
	BM_VOLUME_NOT_WRITABLE, /* wrong owner or rights */
	BM_VOLUME_FULL,
	BM_VOLUME_ORIGINAL,	 /* data of the machine this one replaces */
	BM_VOLUME_FOREIGN_MAJOR, /* a control cluster of another PostgreSQL major */
	BM_VOLUME_DAMAGED,	 /* a control cluster that is not whole */
	BM_VOLUME_STATE_COUNT
};

struct bm_volume_report {
	enum bm_volume_state state;
	enum bm_cluster_found cluster; /* meaningful when USABLE */
	char why[512];		       /* one sentence; "" when usable */
	const char *hint;	       /* static; "" when usable */
};

/* Look at `volume`; the control cluster is expected in `data_dir`, of `major`. */
void bm_volume_inspect(const char *volume, const char *data_dir, unsigned major,
		struct bm_volume_report *report);

/* "read-only", "foreign-major"; static storage. */
const char *bm_volume_state_name(enum bm_volume_state state);

#endif
