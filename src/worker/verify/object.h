/* object - what the report says of one table, sequence or other thing; docs/verify.md */
#ifndef WORKER_VERIFY_OBJECT_H
#define WORKER_VERIFY_OBJECT_H

#include "bucardo_machine/verify.h"
#include "worker/scan/pair.h"
#include "worker/verify/repair.h"
#include "worker/scan/scan.h"

struct json_t;

/* {"kind": "table", "name": ..., "state": "equal", "why": ""}. */
struct json_t *bm_verify_object(
		const char *kind, const char *name, enum bm_proof state, const char *why);

/* "table" or "materialized view". */
const char *bm_verify_kind(const struct bm_verify_table *table);

/* Set state and reason of one. */
void bm_verify_object_set(struct json_t *object, enum bm_proof state, const char *why);

/*
 * One table: begun, which reads it; looked at again until that is over; repaired, which is done
 * once and true when it is to be looked at again; ended, which gives its object. What fails
 * makes it unproven; one that was lost with a session is begun again, with its sessions.
 * `repair`: NULL for none; `bytes`: left for naming rows that differ, of all tables.
 * bm_verify_table_end() frees it.
 */
struct bm_verify_work;
struct bm_verify_work *bm_verify_table_begin(const struct bm_verify_options *options,
		const struct bm_scan *scan, struct bm_repair *repair, size_t *bytes);
void bm_verify_table_round(struct bm_verify_work *work);
/* It has failed, or its last round has, since a session is lost; it will not come back. */
bool bm_verify_table_is_lost(const struct bm_verify_work *work);
/* Rows that are to be looked at again; say that there are too many of them under way. */
size_t bm_verify_table_suspects(const struct bm_verify_work *work);
void bm_verify_table_leave_pending(struct bm_verify_work *work);
void bm_verify_table_give_up(struct bm_verify_work *work);
bool bm_verify_table_is_over(const struct bm_verify_work *work, bool is_late);
bool bm_verify_table_repair(
		struct bm_verify_work *work, struct bm_repair *repair, uint64_t wait_msec);
struct json_t *bm_verify_table_end(struct bm_verify_work *work);

/* Tables that the catalog did not have yet: nobody has looked at their rows. */
void bm_verify_new_tables(struct bm_pair *pair, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, struct json_t *objects);

/* All sequences of the live side, one object each, appended to `objects`: the other side has to
 * reach in `wait_msec` where that one stands at first. `migration`: NULL: not known; `beside`:
 * NULL: a person waits, else it may end the waiting. */
int bm_verify_sequences(struct bm_pair *pair, const char *migration, uint64_t wait_msec,
		struct bm_verify_beside *beside, struct json_t *objects, struct bm_error *err);

/*
 * The definitions of everything: one object for all that are equal, one for each that is not,
 * with what both sides say of it; docs/verify.md. What fails makes them unproven.
 */
void bm_verify_schema(struct bm_pair *pair, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, struct json_t *objects);

/* The large objects, by their bytes: as above, by OID; `beside` rests in between, and may end
 * it, NULL: nobody does. */
void bm_verify_large_objects(
		struct bm_pair *pair, struct bm_verify_beside *beside, struct json_t *objects);

#endif
