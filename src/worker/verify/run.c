#include "worker/verify/run.h"

#include <poll.h>

#include "bucardo_machine/clock.h"
#include "worker/proof/states.h"
#include "worker/scan/proofs.h"

/* Sessions that are lost are made again so often in one run, after a pause that grows. */
#define REOPEN_MOST 5
#define REOPEN_MSEC 500
#define REOPEN_LIMIT_MSEC 16000
#define CLAIM_TRIES 20

/* Of those beside the first; a server may have no more for us. */
#define MORE_LOST_MOST 8

/* To be the one who writes down what is proven. */
static int claim(struct bm_run *run, struct bm_error *err)
{
	const struct bm_verify_beside *with = run->options->beside;
	bool beside = with != NULL && !with->is_quiet;
	int own = bm_proofs_claim(&run->pair, run->options->migration, beside, err);
	int kept = own > 0 ? bm_proof_states_are_kept(run->pair.aside[BM_PAIR_SOURCE], err)
			   : own;

	run->migration = own > 0 ? run->options->migration : NULL;
	run->keeps_states = kept > 0;
	return kept < 0 ? -1 : 0;
}

/* The background is of no use where somebody else keeps the proofs. */
static int check_claim(struct bm_run *run, struct bm_error *err)
{
	struct bm_verify_beside *beside = run->options->beside;

	if (beside == NULL || run->keeps_states) {
		return 0;
	}
	beside->is_kept_by_another = run->migration == NULL;
	return bm_error_set(err, BM_ERR_TRANSIENT,
			run->migration == NULL ? "another verification is under way"
					       : "the source does not keep what is found yet: "
						 "`worker reconcile` prepares it");
}

int bm_run_claim(struct bm_run *run, struct bm_error *err)
{
	if (run->options->migration != NULL && claim(run, err) != 0) {
		return bm_error_wrap(err, "source");
	}
	return check_claim(run, err);
}

bool bm_run_may_reopen(const struct bm_run *run)
{
	return run->reopened < REOPEN_MOST && run->reopen_msec < REOPEN_LIMIT_MSEC;
}

bool bm_run_is_ended(const struct bm_run *run)
{
	return bm_verify_is_ended(run->options->beside);
}

/* The server may not know yet that the session which held it is gone. */
static void claim_again(struct bm_run *run)
{
	struct bm_error err = BM_ERROR_INIT;

	run->migration = NULL;
	run->keeps_states = false;
	for (int try = 0; run->options->migration != NULL && run->migration == NULL &&
			try < CLAIM_TRIES;
			try++) {
		if (try > 0) {
			poll(NULL, 0, REOPEN_MSEC);
		}
		claim(run, &err);
	}
	if (check_claim(run, &err) != 0) {
		run->options->beside->is_ended = true;
	}
}

void bm_run_pause(struct bm_run *run)
{
	poll(NULL, 0, REOPEN_MSEC << run->reopened++);
}

/* Those that are lost stay where no others can be made: statements fail then. */
static void reopen(struct bm_run *run)
{
	const struct bm_verify_options *options = run->options;
	struct bm_error err = BM_ERROR_INIT;
	struct bm_pair pair;

	bm_run_pause(run);
	if (bm_pair_open(&pair, options->source, options->destination, &err) != 0) {
		bm_pair_close(&pair);
		return;
	}
	bm_pair_close(&run->pair);
	run->pair = pair;
	claim_again(run);
}

bool bm_run_has_sessions(struct bm_run *run)
{
	while (bm_pair_is_lost(&run->pair) && bm_run_may_reopen(run) && !bm_run_is_ended(run)) {
		uint64_t begun_msec = bm_clock_msec();
		reopen(run);
		run->reopen_msec += bm_clock_msec() - begun_msec;
	}
	return !bm_pair_is_lost(&run->pair);
}

void bm_run_open_more(struct bm_run *run)
{
	const struct bm_verify_options *options = run->options;
	unsigned wanted = options->jobs > BM_READERS_MOST ? BM_READERS_MOST : options->jobs;

	for (unsigned i = 0; i + 1 < wanted && run->more_lost < MORE_LOST_MOST; i++) {
		struct bm_error err = BM_ERROR_INIT;
		if (i < run->more_count && !bm_pair_is_lost(&run->more[i])) {
			continue;
		}
		run->more_lost += i < run->more_count;
		bm_pair_close(&run->more[i]);
		if (bm_pair_open(&run->more[i], options->source, options->destination, &err) !=
				0) {
			bm_pair_close(&run->more[i]);
			run->more_lost = MORE_LOST_MOST;
			return;
		}
		run->more_count = i < run->more_count ? run->more_count : i + 1;
	}
}

void bm_run_close_more(struct bm_run *run)
{
	for (unsigned i = 0; i < run->more_count; i++) {
		bm_pair_close(&run->more[i]);
	}
}
