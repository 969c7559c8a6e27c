/*
 * verify - is every row of the source on the destination, and no other?
 *
 * The code of `bucardo-machine verify`: plain blocking libpq, for two databases that may be
 * written to meanwhile. Each range of a table is read on both sides at one moment: first the
 * destination's snapshot is taken, then the source's, and what was captured and not purged by
 * then is known to be under way. So a row that differs and is not under way does differ. Rows
 * are hashed by the servers; only hashes, and the keys of rows that are looked at again,
 * travel.
 *
 * A row that differs, or was under way, is looked at again by its key: it is `different` when
 * two looks at two later moments say so, `in_flight` while it stays under way.
 *
 * Nothing is written but the proofs of a migration, unless `repair` is asked for. Method and
 * traps: docs/verify.md.
 *
 * Threads: one caller; `on_progress` may come from others, one at a time.
 */
#ifndef BUCARDO_MACHINE_VERIFY_H
#define BUCARDO_MACHINE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/proof.h"
#include "bucardo_machine/rules.h"
#include "bucardo_machine/sessions.h"

struct json_t;

/* What the background remembers of definitions, sequences and large objects from one pass for
 * the next. */
struct bm_verify_objects;
struct bm_verify_objects *bm_verify_objects_new(void);
void bm_verify_objects_free(struct bm_verify_objects *objects);

/*
 * Beside applications, for as long as it takes: rows, some ranges at a time with rests between
 * them, outside of any snapshot; then `objects`, of which the states alone are kept.
 */
struct bm_verify_beside {
	uint64_t max_age_msec; /* what was proven longer ago is read again */
	uint64_t batch_msec;   /* how long one reading is to take */
	/* So many bytes were read, about, in this time: rest. False ends the run. */
	bool (*rest)(void *ctx, uint64_t took_msec, uint64_t bytes);
	/* Whether a table is due. One without a key is compared as a whole. */
	bool (*is_due)(void *ctx, const char *table, bool has_key);
	void *ctx;
	struct bm_verify_objects *objects; /* NULL: rows only */
	uint64_t interval_msec;		   /* between two passes */
	/* Nobody applies changes while it runs: what is marked as applied is on the other side.
	 * It comes before the background, as a person's does. */
	bool is_quiet;
	uint64_t end_msec; /* by bm_clock_msec(): it is ended then; 0: no such time */
	/* set: somebody else keeps the proofs, so nothing was done; `rest` ended it */
	bool is_kept_by_another, is_ended;
};

/* Ranges that are read at once; each needs two sessions on each side. */
#define BM_VERIFY_JOBS_MOST 16u

#define BM_VERIFY_SNAPSHOT_MSEC ((uint64_t)10 * 60 * 1000)

struct bm_verify_options {
	const struct bm_conninfo *source, *destination;
	/* Which tables: those that both let pass, a migration's and a person's; NULL all. */
	const struct bm_table_filter *filter, *only;
	/* What comes over besides: only that is compared. NULL: everything. */
	const struct bm_role_rules *roles;
	const struct bm_extension_rules *extensions;
	const char *migration; /* whose proofs are kept, in its source; NULL: none are */
	bool trusting;	       /* read only what is not proven */
	struct bm_verify_beside *beside; /* NULL: a person waits for it */
	uint64_t wait_msec;		 /* how long rows under way are waited for */
	unsigned jobs;			 /* ranges of one table that are read at once (0: 1) */
	/* So long a snapshot may live. 0: 10 minutes. */
	uint64_t snapshot_msec;
	bool portable_hash; /* sha256 instead of the servers' own hash functions */
	bool show_values;   /* of rows that differ */
	/* Send rows that differ again, through the replication that captures their tables; and
	 * delete those that the live side does not have. No row is written otherwise. */
	bool repair, delete_extra;

	/* Each table, sequence or other object when its state is known: a member of the
	 * report's "objects". NULL: not told. */
	void (*on_object)(void *ctx, const struct json_t *object);
	/* Now and then: what is read, and how far (0 to 1). NULL: not told. */
	void (*on_progress)(void *ctx, const char *what, double share);
	void *ctx;
};

/*
 * Compare. The report (json_decref() it), whose members docs/verify.md describes, or NULL with
 * `err` when it could not be begun. `result` gets the worst state of its objects.
 */
struct json_t *bm_verify_run(const struct bm_verify_options *options, enum bm_proof *result,
		struct bm_error *err);

#endif
