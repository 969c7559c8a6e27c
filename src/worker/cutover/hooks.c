/*
 * The hooks in an attempt (worker/flip does them):
 *
 *     before the freeze   those of `when: before`; not in a rehearsal
 *     with the lock       PAUSE of the PgBouncers, in each attempt at it
 *     rolled back         RESUME, before all else; later those of `when: abort`
 *     open                PgBouncers lead to the other side, those of `when: after`
 *
 * What is left after the commit is tried again once replication is under way. The row says
 * which are done, for a process after this one.
 */
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "base/protocol/report.h"
#include "worker/cutover/attempt.h"
#include "worker/cutover/ready.h"
#include "worker/flip/flip.h"

/* Of the budget, as for the lock. */
#define SHARE 4

/* How long this process tries what is left; then another one does (mode finish). */
#define FINISH_MSEC 60000
#define FIRST_PAUSE_MSEC 200
#define LONGEST_PAUSE_MSEC 5000

/* A PgBouncer that cannot be told to let its clients go on. */
#define RESUME_MSEC 20000
#define RESUME_PAUSE_MSEC 100

static void keep_done(void *ctx, const char *name)
{
	struct bm_cutover *c = ctx;
	struct bm_error failed = BM_ERROR_INIT;

	if (bm_record_hook_done(c, name, &failed) != 0) {
		bm_report_note("hook '%s' is done, but that could not be written down: should this "
			       "worker end it is done again: %s",
				name, failed.message);
	}
}

struct bm_flip *bm_cutover_hooks_create(struct bm_phase *phase, struct bm_cutover *c)
{
	const struct bm_flip_about about = {.migration = phase->request.name,
			.direction = phase->request.phase,
			.number = phase->request.cutover.number,
			.to_source = bm_cutover_to(phase) == BM_SIDE_SOURCE,
			.from = bm_phase_endpoint(phase, bm_cutover_from(phase)),
			.to = bm_phase_endpoint(phase, bm_cutover_to(phase)),
			.on_done = c != NULL ? keep_done : NULL,
			.ctx = c};

	return bm_flip_create(phase->request.cutover.hooks, &about);
}

/* ---- before ---- */

int bm_cutover_hooks_before(struct bm_cutover *c, struct bm_error *err)
{
	if (bm_flip_prepare(c->flip, err) != 0) {
		return -1;
	}
	if (c->request->mode == BM_CUTOVER_REHEARSE) {
		snprintf(c->detail, sizeof(c->detail), "a rehearsal runs none%s",
				bm_flip_has_pooler(c->flip)
						? ", but PAUSE and RESUME of PgBouncers"
						: "");
		return 0;
	}
	c->has_begun_hooks = true;
	return bm_flip_before(c->flip, err);
}

/* ---- clients wait ---- */

int bm_cutover_hooks_pause(struct bm_cutover *c, struct bm_error *err)
{
	if (!bm_flip_has_pooler(c->flip)) {
		return 0;
	}
	c->began_msec = bm_clock_msec();
	uint64_t limit = c->request->budget_msec / SHARE;
	c->is_pause_stuck = false;
	if (bm_flip_pause(c->flip, limit > 0 ? limit : 1, err) == 0) {
		return 0;
	}
	c->is_pause_stuck = err->code == BM_ERR_TIMEOUT;
	if (c->is_pause_stuck) {
		/* As of a lock that was not to be had. */
		snprintf(err->sqlstate, sizeof(err->sqlstate), "55P03");
	}
	return -1;
}

const char *bm_cutover_hooks_busy(const struct bm_cutover *c)
{
	return bm_flip_busy(c->flip);
}

/* Until it is told, or nobody can: then a person has to know. */
void bm_cutover_hooks_resume(struct bm_cutover *c)
{
	uint64_t end_msec = bm_clock_msec() + RESUME_MSEC;
	bool all = c->request->mode == BM_CUTOVER_FINISH;
	struct bm_error failed;
	int rc;

	do {
		failed = (struct bm_error)BM_ERROR_INIT;
		rc = bm_flip_resume(c->flip, all, &failed);
		poll(NULL, 0, rc != 0 ? RESUME_PAUSE_MSEC : 0);
	} while (rc != 0 && bm_clock_msec() < end_msec);
	if (rc != 0) {
		bm_report_note("clients may wait: type RESUME on the console of that PgBouncer: %s",
				failed.message);
	}
}

void bm_cutover_hooks_settle(struct bm_cutover *c)
{
	struct bm_error failed = BM_ERROR_INIT;

	if (bm_flip_settle(c->flip, &failed) != 0) {
		bm_report_note("RELOAD on its console sets it right: %s", failed.message);
	}
}

void bm_cutover_hooks_abort(struct bm_cutover *c)
{
	if (c->flip != NULL && (c->has_begun_hooks || c->request->mode == BM_CUTOVER_FINISH)) {
		bm_flip_abort(c->flip);
	}
}

/* ---- after the commit ---- */

static void read_done(struct bm_cutover *c)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_record_hooks(c, &ignored);

	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		bm_flip_mark_done(c->flip, PQgetvalue(rows, i, 0));
	}
	PQclear(rows);
}

static void describe(struct bm_cutover *c)
{
	size_t index, used = 0;
	const json_t *hook;

	json_array_foreach(bm_flip_report(c->flip), index, hook)
	{
		used += (size_t)snprintf(c->detail + used, sizeof(c->detail) - used,
				"%s%s %s in %lld ms", index > 0 ? ", " : "",
				json_string_value(json_object_get(hook, "name")),
				json_string_value(json_object_get(hook, "state")),
				(long long)json_integer_value(json_object_get(hook, "msec")));
		if (used >= sizeof(c->detail)) {
			break;
		}
	}
}

int bm_cutover_hooks_switch(struct bm_cutover *c, struct bm_error *err)
{
	if (c->request->mode == BM_CUTOVER_FINISH) {
		read_done(c);
	}
	if (bm_flip_after(c->flip, err) != 0) {
		bm_report_note("%s; it is tried again", err->message);
		*err = (struct bm_error)BM_ERROR_INIT;
	}
	c->flipped_msec = bm_flip_has_pooler(c->flip) ? bm_clock_msec() : 0;
	describe(c);
	return 0;
}

int bm_cutover_hooks_finish(struct bm_cutover *c, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + FINISH_MSEC;
	int pause_msec = FIRST_PAUSE_MSEC, rc;

	for (;;) {
		char text[400];
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = bm_flip_after(c->flip, err);
		if (rc == 0 || bm_clock_msec() >= end_msec) {
			break;
		}
		snprintf(text, sizeof(text), "again: %.380s", err->message);
		bm_report_progress(0, 0, "steps", text);
		poll(NULL, 0, pause_msec);
		pause_msec = pause_msec * 2 > LONGEST_PAUSE_MSEC ? LONGEST_PAUSE_MSEC
								 : pause_msec * 2;
	}
	describe(c);
	return rc;
}
