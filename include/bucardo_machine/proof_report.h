/*
 * proof_report - the report of docs/verify.md from what is kept, without comparing anything
 *
 * What the background and `verify NAME` found of each table is kept in the source; this reads
 * it with one session there. The destination is named and not asked.
 *
 * Threads: any.
 */
#ifndef BUCARDO_MACHINE_PROOF_REPORT_H
#define BUCARDO_MACHINE_PROOF_REPORT_H

#include "bucardo_machine/error.h"
#include "bucardo_machine/proof.h"
#include "bucardo_machine/sessions.h"

struct json_t;

/* The report (json_decref() it), and the worst state of its objects. NULL with `err`:
 * BM_ERR_CONFIG when nothing was compared yet. Blocks, for some seconds at most. */
struct json_t *bm_proof_report(const struct bm_conninfo *source,
		const struct bm_conninfo *destination, const char *migration,
		enum bm_proof *result, struct bm_error *err);

#endif
