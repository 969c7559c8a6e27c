/*
 * stops - what an operator stopped stays stopped, also in the next pod
 *
 * One small JSON file a unit, `<volume>/stopped/<unit>`: {"at": ..., "by": "..."}.
 * The file is the truth; removing it by hand starts the unit again at the next
 * start of the machine.
 */
#ifndef DAEMON_MACHINE_STOPS_H
#define DAEMON_MACHINE_STOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct bm_stop {
	bool stopped;
	int64_t at;   /* wall msec */
	char by[256]; /* "service stop (uid 0)", "bucardo stop: reason" */
};

/* What the volume says about `unit`. A file that cannot be understood counts as a
 * stop by an unknown hand: starting something a person stopped is worse. */
void bm_stop_load(const char *volume, const char *unit, struct bm_stop *stop);

/* Write or remove the file, and bring `stop` up to date; on failure both stay. */
int bm_stop_store(const char *volume, const char *unit, const char *by, struct bm_stop *stop,
		struct bm_error *err);
int bm_stop_remove(const char *volume, const char *unit, struct bm_stop *stop,
		struct bm_error *err);

#endif
