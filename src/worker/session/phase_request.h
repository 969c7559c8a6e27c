/*
 * phase_request - what one `worker phase` is to do
 *
 * One line of JSON, described in docs/worker-protocol.md. Texts belong to the
 * decoded JSON, which the request keeps.
 */
#ifndef WORKER_SESSION_PHASE_REQUEST_H
#define WORKER_SESSION_PHASE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/rules.h"
#include "bucardo_machine/error.h"

struct json_t;

struct bm_phase_endpoint {
	const char *host;
	unsigned port;
	const char *dbname;
	const char *user;
	const char *sslmode;	 /* NULL: libpq's default */
	const char *sslrootcert; /* NULL: none */
};

/* A name of a migration: it becomes part of names in Bucardo. */
#define BM_MIGRATION_NAME_BYTES 32

/* What a cut-over or failback is to do (docs/worker-protocol.md). */
enum bm_cutover_mode {
	BM_CUTOVER_CHECK,    /* readiness only: no lock, changes nothing */
	BM_CUTOVER_REHEARSE, /* up to the fence, then rolled back */
	BM_CUTOVER_RUN,
	BM_CUTOVER_FINISH,   /* one whose worker is gone: forward if committed, else undone */
	BM_CUTOVER_WAY_BACK, /* the destination is captured as well, with direction forward */
};

#define BM_CUTOVER_BUDGET_MSEC 1000

/* Of phases cutover and failback; of others its defaults. */
struct bm_cutover_request {
	enum bm_cutover_mode mode;
	uint64_t number;      /* of this attempt; 0: none (a check) */
	unsigned budget_msec; /* past which nothing has happened */
	int64_t rehearsed_at; /* wall msec; 0 never */
	bool has_way_back;    /* direction forward, and a worker before makes one */
	bool is_manual;	      /* a person keeps writers off: no lock is taken */
	/* Tables that may be unproven, as schema.table, NULL at the end; NULL: none. */
	const char *const *accept;
	const struct json_t *hooks; /* a list of them (worker/flip); NULL: none */
};

/* How the background compares. */
struct bm_verify_request {
	unsigned max_load; /* percent of its time */
	uint64_t interval_msec, full_every_msec;
};

struct bm_phase_request {
	struct json_t *root;
	const char *phase; /* "preflight" */
	const char *socket_dir;
	const char *name; /* of the migration */
	struct bm_phase_endpoint source, destination;
	bool is_both;	/* direction both; else forward */
	unsigned syncs; /* that its tables are spread over */
	unsigned jobs;
	uint64_t max_rate; /* of the copy, bytes a second; 0: no limit */
	bool throttle;
	bool trust_keys;	       /* foreign keys are made on empty tables */
	struct bm_table_filter filter; /* which tables */
	struct bm_role_rules roles;
	struct bm_extension_rules extensions;
	bool fix;  /* preflight: apply the safe fixes */
	bool plan; /* preflight: and tell what would be done, with a short measurement */
	/* Preflight: why the machine refuses this definition, and the way out; NULL: no. */
	const char *refusal, *refusal_hint;
	struct bm_verify_request verify; /* of `worker verify` */
	struct bm_cutover_request cutover;
};

/* Fails with BM_ERR_CONFIG; finish `out` in either case. */
int bm_phase_request_decode(const char *text, size_t length, struct bm_phase_request *out,
		struct bm_error *err);
void bm_phase_request_finish(struct bm_phase_request *request);

#endif
