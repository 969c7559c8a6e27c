/*
 * verify_news - what the background says of the proofs: to `status`, and as events
 *
 * Made from what is kept in the source (worker/proof), so that a worker that was killed, and a
 * verification that a person ran, say the same.
 */
#ifndef WORKER_RECONCILE_VERIFY_NEWS_H
#define WORKER_RECONCILE_VERIFY_NEWS_H

#include "worker/proof/states.h"

/* Put the members of docs/status.md, `verify`, into `evidence`; `rows` are the rows that differ
 * (bm_proof_differences()). */
void bm_verify_report(const char *migration, const struct bm_proof_states *states,
		const struct json_t *rows, struct json_t *evidence);

/* Print what is news: tables that differ, and that do so no more. */
void bm_verify_report_news(const char *migration, const struct bm_proof_states *before,
		const struct bm_proof_states *now);

/* How many of them are tables. */
size_t bm_verify_tables(const struct bm_proof_states *states);

#endif
