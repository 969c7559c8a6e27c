/*
 * pause - what a person's `bucardo pause` means for us
 *
 * The master stops CTL and KID of the sync and keeps that in its memory alone: the
 * tables say active, and to us it would look like one that is not served. The CLI
 * tells the master by NOTIFY, one channel a sync; we listen too (listen.c). A reload of the
 * sync, a `bucardo activate` and every restart of the master end a pause.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"

/* The CTL of a paused sync ends within a second. */
#define PAUSE_SETTLES_MSEC 5000

static void set_paused(struct bm_bucardo *bucardo, struct evaluated_sync *sync, bool paused)
{
	if (paused == sync->paused) {
		return;
	}
	sync->paused = paused;
	sync->paused_msec = bm_clock_msec();
	bucardo_event(bucardo, BM_BUCARDO_NOTE, "sync '%s' %s", sync->name,
			paused ? "was paused by a person, and stays so until `bucardo resume` or "
				 "a restart of Bucardo"
			       : "is paused no more");
}

void pause_begins(struct bm_bucardo *bucardo, struct evaluated_sync *sync)
{
	if (sync->active) {
		set_paused(bucardo, sync, true);
	}
}

void pause_ends(struct bm_bucardo *bucardo, struct evaluated_sync *sync)
{
	set_paused(bucardo, sync, false);
}

void pause_check(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	bool settled = now - sync->paused_msec >= PAUSE_SETTLES_MSEC;

	if (sync->paused &&
			(!sync->active ||
					(settled &&
							children_has(bucardo, BUCARDO_CTL,
									sync->name)))) {
		set_paused(bucardo, sync, false);
	}
}
