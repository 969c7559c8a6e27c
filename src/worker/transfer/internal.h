/* internal - what the steps of a transfer share. */
#ifndef WORKER_TRANSFER_INTERNAL_H
#define WORKER_TRANSFER_INTERNAL_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/transfer.h"
#include "worker/transfer/source_catalog.h"
#include "worker/session/connect.h"
#include "worker/dump/entries.h"
#include "worker/transfer/ledger.h"
#include "worker/transfer/left.h"
#include "worker/rate/rate_limit.h"
#include "worker/transfer/progress.h"

struct bm_sequence {
	char *name; /* quoted and qualified */
	int64_t last;
	bool called;
};

struct bm_transfer {
	struct bm_transfer_options options;
	struct bm_endpoint source, destination;
	char *source_id; /* which cluster and database the source is */
	char *filter;	 /* the parameter of bm_table_filter_sql; "" for all tables */

	PGconn *control; /* destination: the lock, the ledger */
	bool destination_is_superuser;
	bool binary_allowed, same_version;
	bool may_be_whole; /* a table of a few chunks, if both servers are near */
	bool is_indexed;   /* some of what comes after the rows is there already */
	bool has_later;	   /* definitions that others may need come after the rows */
	bool is_resumed;   /* the schema was made by an earlier run */
	bool is_closed;	   /* no run can go on with this destination */

	pthread_mutex_t mutex;	  /* for what is below, and the queues of the pools */
	PGconn *snapshot_session; /* source: its transaction holds the snapshot */
	char snapshot[64];	  /* "" when there is none yet */
	char *moment;		  /* of it, see moments.h */
	unsigned renewals;	  /* how often a lost snapshot was replaced */
	char news[512];		  /* for the next note; "" when there is none */
	char *blamed;		  /* the relation that failed, as a pattern; NULL */
	char waiting[256];	  /* for a server that is unreachable; "": for nothing */
	struct bm_strbuf large_object_news; /* a line each; for the end of the copy */
	struct bm_strbuf path_news; /* what was made with a path; for the end of a phase */
	char slowed[128];	    /* how and why the copy is slowed down; "": it is not */

	struct bm_sequence *sequences; /* as they stood when the copy began */
	size_t sequence_count;
	char *outside;		   /* relations of the source that are left out, as oid[] */
	struct bm_entries put_off; /* the second attempt is to come (apply.c); texts borrowed */
	struct bm_tables tables;
	struct bm_ledger ledger;
	struct bm_progress progress;
	struct bm_left left;
	struct bm_rate_limit rate_limit;
	pthread_mutex_t path_mutex;	     /* for these two: */
	PGconn *path_source;		     /* asks the source for paths; NULL: not yet */
	char *usual_path;		     /* of a session there to which nobody gives one */
	void (*look)(struct bm_transfer *t); /* before the progress is told; NULL: nothing */
	uint64_t looked_msec;
};

/* How often what a crash of the destination took back is done again. */
#define BM_MOST_ROUNDS 10

/* Tell a person; from the main thread. */
void bm_transfer_note(struct bm_transfer *t, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/* Something that is not on the destination as it is on the source; from the main thread. */
void bm_transfer_find(
		struct bm_transfer *t, const char *object, const char *why, const char *hint);

/*
 * Make sure the snapshot session lives and `snapshot` is valid; a new one is taken when the
 * session was lost. Any thread.
 */
int bm_snapshot_hold(struct bm_transfer *t, struct bm_error *err);

/* The same for `control`: connect again, and take the lock again. Main thread. */
int bm_control_hold(struct bm_transfer *t, struct bm_error *err);

/* Use this snapshot no more; those who are in it stay. Any thread. */
void bm_snapshot_expire(struct bm_transfer *t, const char *snapshot);

/* Sessions of a worker. The source's is inside the snapshot: that one, of that moment. */
PGconn *bm_snapshot_join(
		struct bm_transfer *t, char snapshot[64], char **moment, struct bm_error *err);
PGconn *bm_destination_join(struct bm_transfer *t, struct bm_error *err);

/* ---- the parts of bm_transfer_schema() and bm_transfer_index() ---- */

/* Split the tables into chunks; the list goes into the ledger in memory. */
int bm_plan_chunks(struct bm_transfer *t, struct bm_error *err);

/* Set all sequences of the destination to where the source's are now, or where they were
 * when they were remembered, if that is further on. */
int bm_sequences_copy(struct bm_transfer *t, struct bm_error *err);
int bm_sequences_remember(struct bm_transfer *t, struct bm_error *err);
void bm_sequences_forget(struct bm_transfer *t);

/* Plan REFRESH and ANALYZE. */
int bm_plan_refresh(struct bm_transfer *t, struct bm_error *err);
void bm_plan_analyze(struct bm_transfer *t);

#endif
