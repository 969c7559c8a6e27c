/*
 * wish - what a person's `bucardo activate` and `bucardo deactivate` ask for
 *
 * Both are one NOTIFY, which a master misses while it reads its syncs anew (the one that a
 * person starts ends its listening for a moment). The master writes the status of the sync when
 * it has obeyed; until then it is told again. A word that it has not heard yet may undo what
 * the status shows: so a wish is over only when all words were heard before that was looked at.
 *
 * A wish is memory. Those of a migration's pause and resume are made anew after a restart, from
 * its journal (declared.c, keep_requests.sql).
 */
#include "daemon/bucardo/internal.h"
#include "bucardo_machine/clock.h"

/* A master that hears obeys within a second. */
#define AGAIN_MSEC 4000
/* What it was told so often it refuses. Not a matter of time: one that is busy is told nothing.
 */
#define OFTEN 15

void wish_set(struct evaluated_sync *sync, int wish)
{
	sync->wish = wish;
	sync->wish_sent_msec = 0;
	sync->wish_sent = 0;
	sync->contrary_msec = 0;
	sync->resuming = false;
}

static void end_wish(struct evaluated_sync *sync)
{
	sync->wish = 0;
	sync->resuming = false;
}

static void receive(struct evaluated_sync *sync, int wish)
{
	sync->wish_sent_msec = sync->word_msec = bm_clock_msec();
	/* Our own word is heard here as well. */
	if (sync->wish != wish) {
		sync->wish = wish;
		sync->wish_sent = 1;
		sync->contrary_msec = 0;
		sync->resuming = false;
	}
}

void wish_active(struct bm_bucardo *bucardo, struct evaluated_sync *sync)
{
	(void)bucardo;
	receive(sync, 1);
}

void wish_inactive(struct bm_bucardo *bucardo, struct evaluated_sync *sync)
{
	(void)bucardo;
	receive(sync, -1);
}

/* The latest look at the sync shows what all words about it have led to. */
static bool is_received(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync)
{
	const struct master *master = &bucardo->master;

	return sync->word_msec == 0 ||
			(master->received_msec >= sync->word_msec &&
					bucardo->evaluation.taken_msec > master->pong_msec);
}

/*
 * What the status shows may be a later word's, of somebody else, that is still on its way to
 * us: a cut-over that is undone activates what it has deactivated. So a word is told again only
 * when the status has been contrary to it for that long.
 */
static bool is_due(struct evaluated_sync *sync, uint64_t now)
{
	if (sync->contrary_msec == 0) {
		sync->contrary_msec = now;
	}
	return now - sync->wish_sent_msec >= AGAIN_MSEC &&
			(sync->wish_sent == 0 || now - sync->contrary_msec >= AGAIN_MSEC);
}

void wish_check(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	const char *verb = sync->wish > 0 ? "activate" : "deactivate";

	if (sync->wish != 0 && sync->active == (sync->wish > 0)) {
		sync->contrary_msec = 0;
		if (is_received(bucardo, sync)) {
			end_wish(sync);
		}
		return;
	}
	if (sync->wish == 0 || !is_due(sync, now)) {
		return;
	}
	if (sync->wish > 0 && sync->wish_sent > 0 && master_has_queue(bucardo, now)) {
		sync->wish_sent_msec = now; /* it has heard, and others come first */
	} else if (sync->wish_sent >= OFTEN) {
		end_wish(sync);
		bucardo_event(bucardo, BM_BUCARDO_NOTE,
				"the master was told %d times to %s sync '%s', and did not: the log "
				"has its reason",
				OFTEN, verb, sync->name);
	} else if (master_send(bucardo, verb, sync->name)) {
		bucardo_event(bucardo, BM_BUCARDO_NOTE,
				sync->wish_sent_msec == 0
						? "telling the master to %s sync '%s'"
						: "the master has not heard `bucardo %s %s`: it is told again",
				verb, sync->name);
		sync->wish_sent_msec = sync->word_msec = now;
		sync->wish_sent++;
	}
}
