/*
 * run - a whole comparison while it runs, and its sessions: made again when they are lost
 *
 * Private to this folder (verify.c says what a run does).
 */
#ifndef WORKER_VERIFY_RUN_H
#define WORKER_VERIFY_RUN_H

#include "bucardo_machine/verify.h"
#include "worker/scan/digest.h"
#include "worker/scan/pair.h"
#include "worker/scan/readers.h"
#include "worker/scan/verify_catalog.h"
#include "worker/verify/object.h"
#include "worker/verify/repair.h"

struct bm_run {
	const struct bm_verify_options *options;
	struct bm_pair pair;
	struct bm_pair more[BM_READERS_MOST]; /* readers beside it (readers.h) */
	unsigned more_count, more_lost;
	struct bm_verify_catalog catalog;
	struct bm_digest digest;
	struct bm_repair repair;
	const char *migration; /* whose proofs this run keeps; NULL none */
	bool keeps_states;     /* and what it finds of each table (worker/proof) */
	struct json_t *report, *objects;
	enum bm_proof result;
	size_t named_bytes;		     /* left for rows that differ, of all tables */
	bool was_open;			     /* all sessions were */
	unsigned reopened;		     /* how often sessions were made again */
	uint64_t reopen_msec;		     /* how long that was tried */
	uint64_t bytes, bytes_done;	     /* of all tables; of those that are done */
	const struct bm_verify_table *table; /* that is read */
	struct bm_verify_work **works;	     /* one a table; NULL: not begun, or ended */
};

/* To be the one who writes down what is proven; the background is of no use without it. */
int bm_run_claim(struct bm_run *run, struct bm_error *err);

/* Make lost sessions again; false: they stay lost. */
bool bm_run_has_sessions(struct bm_run *run);

/* Whether they may be made again at all; and a pause before that, which grows. */
bool bm_run_may_reopen(const struct bm_run *run);
void bm_run_pause(struct bm_run *run);

/* The background was told to end. */
bool bm_run_is_ended(const struct bm_run *run);

/* Readers beside the first one, as many as there may be: less is slower, and no more. */
void bm_run_open_more(struct bm_run *run);
void bm_run_close_more(struct bm_run *run);

#endif
