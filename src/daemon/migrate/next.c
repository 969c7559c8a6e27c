/* The table of phases, and the rules for what comes next. */
#include "daemon/migrate/next.h"

#include "bucardo_machine/macros.h"

#define AFTER(phase) (1U << BM_PHASE_##phase)

static const struct bm_phase_row rows[] = {
		[BM_PHASE_PREFLIGHT] = {.worker = "phase",
				.unit = "checks",
				.needs = 0,
				.comment = "looks at both databases and changes nothing: versions, "
					   "rights, what cannot be replicated",
				.detect = "nothing: it looks anew each time",
				.anew = true,
				.follows_copy = true,
				.cancel = "nothing",
				.reversible = true,
				.undo = ""},
		[BM_PHASE_SCHEMA] = {.worker = "phase",
				.unit = "objects",
				.needs = AFTER(PREFLIGHT),
				.comment = "creates the source's schemas, types and tables on the "
					   "destination, without indexes and constraints",
				.detect = "the ledger in schema bucardo_machine of the destination",
				.follows_copy = true,
				.cancel = "nothing: its transaction is rolled back",
				.reversible = true,
				.undo = "drop the tables on the destination, and its schema bucardo_machine"},
		[BM_PHASE_CAPTURE] = {.worker = "phase",
				.unit = "tables",
				.flows = true,
				.needs = AFTER(SCHEMA),
				.comment = "puts Bucardo's triggers on the source's tables, each "
					   "under a short lock, so that no change from here on "
					   "is missed",
				.detect = "Bucardo's rows in the control database, and the triggers of each table",
				.cancel = "the tables that have their triggers keep them",
				.reversible = true,
				.undo = "`bucardo remove sync` in the pod, then DROP SCHEMA bucardo CASCADE on the source, which takes the triggers with it (and on the destination with direction both)"},
		[BM_PHASE_COPY] = {.worker = "phase",
				.unit = "bytes",
				.flows = true,
				.reports_left = true,
				.needs = AFTER(CAPTURE),
				.comment = "copies the rows in chunks; a chunk that was finished "
					   "is never copied again",
				.detect = "the ledger: a chunk's row is committed with its rows",
				.follows_copy = true,
				.cancel = "whole chunks; those under way are rolled back",
				.reversible = true,
				.undo = "as schema: drop the tables on the destination, and its schema bucardo_machine"},
		[BM_PHASE_INDEX] = {.worker = "phase",
				.unit = "bytes",
				.reports_left = true,
				.needs = AFTER(COPY),
				.comment = "builds indexes and constraints on the destination, "
					   "refreshes materialised views, sets sequences, analyses",
				.detect = "the ledger: an object's row is committed with the object",
				.cancel = "whole objects; those under way are rolled back",
				.reversible = true,
				.undo = "as schema: drop the tables on the destination, and its schema bucardo_machine"},
		[BM_PHASE_REPLICATE] = {.worker = "phase",
				.beside = "reconcile",
				.unit = "rows",
				.flows = true,
				.needs = AFTER(INDEX),
				.comment = "applies what changed since the capture, and every "
					   "change from then on, as it happens",
				.detect = "the delta and track tables on the captured side",
				.cancel = "all that was applied; a run under way is rolled back",
				.reversible = true,
				.undo = "`bucardo-machine pause` stops it at any time, and the source stays in charge until the application is pointed elsewhere"},
		[BM_PHASE_VERIFY] = {.beside = "verify",
				.unit = "rows",
				.needs = AFTER(REPLICATE),
				.comment = "proves that both databases hold the same rows",
				.reversible = true,
				.undo = ""},
		/* Begun by a person: these two while it replicates, the third at any point. */
		[BM_PHASE_CUTOVER] = {.worker = "phase",
				.unit = "steps",
				.needs = AFTER(REPLICATE),
				.comment = "makes the destination the one that is written to",
				.detect = "the row of this attempt on the side that is left, which is "
					  "written in the transaction that fences it",
				.cancel = "either all of it or nothing: the next worker goes on, or "
					  "undoes it",
				.reversible = false,
				.undo = "failback"},
		[BM_PHASE_FAILBACK] = {.worker = "phase",
				.unit = "steps",
				.needs = AFTER(REPLICATE),
				.comment = "makes the source the one that is written to again",
				.detect = "as cutover",
				.cancel = "as cutover",
				.reversible = false,
				.undo = "cutover"},
		[BM_PHASE_TEARDOWN] = {.worker = "phase",
				.unit = "objects",
				.comment = "removes what the migration made beside the rows: syncs, "
					   "triggers, the ledger",
				.detect = "the catalogs of both databases, and Bucardo's rows in the control database",
				.cancel = "what is not removed yet",
				.reversible = false,
				.undo = ""},
};
static_assert(BM_COUNT_OF(rows) == BM_PHASE_PLACES, "a phase has no row");

/* Between two tries: doubling while a server is unreachable, steadily while a person fixes. */
#define TRANSIENT_FIRST_MSEC 1000
#define TRANSIENT_LIMIT_MSEC 60000
#define OPERATOR_MSEC 30000

const struct bm_phase_row *bm_phase_row(enum bm_phase phase)
{
	return &rows[phase];
}

const char *bm_phase_comment(enum bm_phase phase)
{
	return rows[phase].comment;
}

const char *bm_phase_undo(enum bm_phase phase)
{
	return rows[phase].undo;
}

uint64_t bm_failure_pause_msec(enum bm_failure failure, unsigned attempt)
{
	uint64_t pause = TRANSIENT_FIRST_MSEC;

	if (failure == BM_FAILURE_INTERNAL) {
		return UINT64_MAX;
	}
	if (failure == BM_FAILURE_OPERATOR) {
		return OPERATOR_MSEC;
	}
	for (unsigned i = 1; i < attempt && pause < TRANSIENT_LIMIT_MSEC; i++) {
		pause *= 2;
	}
	return pause < TRANSIENT_LIMIT_MSEC ? pause : TRANSIENT_LIMIT_MSEC;
}

static bool has_all_it_needs(const struct bm_next_input *in, enum bm_phase phase)
{
	for (enum bm_phase other = 0; other < BM_PHASE_COUNT; other++) {
		if ((rows[phase].needs & (1U << other)) != 0 &&
				in->records[other].state != BM_RECORD_DONE) {
			return false;
		}
	}
	return true;
}

/* The first phase that is not done and may be; BM_PHASE_COUNT when all are done. */
static enum bm_phase current_phase(const struct bm_next_input *in)
{
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		if (in->records[phase].state != BM_RECORD_DONE && has_all_it_needs(in, phase)) {
			return phase;
		}
	}
	return BM_PHASE_COUNT;
}

static struct bm_next answer(
		enum bm_next_step step, enum bm_migration_status status, const char *why)
{
	return (struct bm_next){.step = step, .status = status, .why = why};
}

/* Whether something keeps this migration from working at all. */
static bool is_kept_back(
		const struct bm_next_input *in, enum bm_phase phase, struct bm_next *out)
{
	if (in->paused) {
		*out = answer(BM_STEP_WAIT, BM_MIGRATION_PAUSED, NULL);
	} else if (in->refused) {
		*out = answer(BM_STEP_WAIT, BM_MIGRATION_FAILED, NULL);
	} else if (!in->configured && phase == BM_PHASE_COUNT) {
		/* Its sync goes on: only a person stops that. */
		*out = answer(BM_STEP_WAIT, BM_MIGRATION_DONE,
				"machine.yaml does not name it any more: changes are applied as before, but "
				"nobody looks after its sequences and tables");
	} else if (!in->configured) {
		*out = answer(BM_STEP_WAIT, BM_MIGRATION_PAUSED,
				"machine.yaml does not name it any more");
	} else if (phase == BM_PHASE_COUNT) {
		*out = answer(BM_STEP_WAIT, BM_MIGRATION_DONE, NULL);
	} else if (phase > in->until) {
		*out = answer(BM_STEP_WAIT, BM_MIGRATION_DONE,
				"it was told to go no further by itself");
	} else {
		return false;
	}
	return true;
}

static struct bm_next after_failure(const struct bm_next_record *record)
{
	return answer(BM_STEP_WAIT,
			record->failure == BM_FAILURE_TRANSIENT ? BM_MIGRATION_WAITING
								: BM_MIGRATION_FAILED,
			NULL);
}

static bool may_begin(const struct bm_next_input *in, const struct bm_next_record *record)
{
	return record->state == BM_RECORD_PENDING ||
			(record->state == BM_RECORD_FAILED &&
					record->failure != BM_FAILURE_INTERNAL &&
					record->retry_at_msec <= in->now_msec);
}

/* Nothing keeps it back and no worker runs. */
static struct bm_next go_on(const struct bm_next_input *in, const struct bm_next_record *record)
{
	if (record->state == BM_RECORD_FAILED && !may_begin(in, record)) {
		return after_failure(record);
	}
	if (!in->allowed) {
		return answer(BM_STEP_WAIT, BM_MIGRATION_WAITING,
				"the control database or Bucardo in it is not ready");
	}
	if (!in->journal_clean) {
		return answer(BM_STEP_WAIT, BM_MIGRATION_WAITING,
				"the journal is being written");
	}
	return answer(may_begin(in, record) ? BM_STEP_BEGIN : BM_STEP_SPAWN,
			BM_MIGRATION_RUNNING, NULL);
}

/* Whatever else is wished or refused; what was begun with the migration does not begin again.
 */
static struct bm_next leave(const struct bm_next_input *in)
{
	if (in->teardown->state == BM_RECORD_DONE) {
		return answer(BM_STEP_WAIT, BM_MIGRATION_DONE, "it is torn down");
	}
	return in->worker == BM_PHASE_TEARDOWN
			? answer(BM_STEP_WAIT, BM_MIGRATION_RUNNING, NULL)
			: go_on(in, in->teardown);
}

/* One that was begun is ended, whatever else is wished: until then no side may be writable. */
static struct bm_next change(const struct bm_next_input *in)
{
	return in->worker == in->change ? answer(BM_STEP_WAIT, BM_MIGRATION_RUNNING, NULL)
					: go_on(in, in->changing);
}

struct bm_next bm_migrate_next(const struct bm_next_input *in)
{
	struct bm_next next;
	enum bm_phase phase = BM_PHASE_PREFLIGHT;

	if (!in->journal_known) {
		next = answer(BM_STEP_WAIT, BM_MIGRATION_WAITING,
				"waits for the control database, to know how far it came");
	} else if (in->teardown != NULL) {
		phase = BM_PHASE_TEARDOWN;
		next = leave(in);
	} else if (in->changing != NULL) {
		phase = in->change;
		next = change(in);
	} else {
		phase = current_phase(in);
		if (!is_kept_back(in, phase, &next)) {
			next = in->worker == phase
					? answer(BM_STEP_WAIT, BM_MIGRATION_RUNNING, NULL)
					: go_on(in, &in->records[phase]);
		}
	}
	next.phase = phase;
	if (in->worker != BM_PHASE_COUNT &&
			(in->worker != phase || next.status != BM_MIGRATION_RUNNING)) {
		next.step = BM_STEP_CANCEL;
	}
	return next;
}
