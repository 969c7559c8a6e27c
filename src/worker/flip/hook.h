/*
 * hook - one hook, as the kinds of them see it
 */
#ifndef WORKER_FLIP_HOOK_H
#define WORKER_FLIP_HOOK_H

#include <jansson.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/flip/flip.h"

struct bm_hook {
	const struct bm_flip_about *about;
	const json_t *json;
	const char *name, *type, *when;
	uint64_t timeout_msec;
	const struct bm_hook_kind *kind;
	bool is_done, is_paused;
	bool is_waiting; /* for the answer to PAUSE */
	unsigned tries;
	char said[400];	      /* the last words of a command */
	PGconn *console;      /* of pgbouncer */
	PGconn *pauser;	      /* the same, for PAUSE: one that waits takes no other command */
	char login_retry[32]; /* its server_login_retry, while ours is in force; "" it is not */
	json_t *reported;     /* its object in the report; borrowed; NULL: not yet */
};

struct bm_hook_kind {
	const char *name;
	/* Whether it could be done. */
	int (*reach)(struct bm_hook *hook, struct bm_error *err);
	/* Do it. */
	int (*run)(struct bm_hook *hook, struct bm_error *err);
};

/* programs.c */
int bm_hook_sql_reach(struct bm_hook *hook, struct bm_error *err);
int bm_hook_sql_run(struct bm_hook *hook, struct bm_error *err);
int bm_hook_command_reach(struct bm_hook *hook, struct bm_error *err);
int bm_hook_command_run(struct bm_hook *hook, struct bm_error *err);

/* pooler.c */
int bm_pooler_reach(struct bm_hook *hook, struct bm_error *err);
int bm_pooler_prepare(struct bm_hook *hook, struct bm_error *err);
/* PAUSE of its database number `index` in two halves. 1: it has no such database. */
int bm_pooler_pause_send(struct bm_hook *hook, size_t index, struct bm_error *err);
int bm_pooler_pause_wait(struct bm_hook *hook, uint64_t limit_msec, struct bm_error *err);
void bm_pooler_pause_leave(struct bm_hook *hook);
/* Append the pids of the servers' processes in use, with commas. */
void bm_pooler_busy(struct bm_hook *hook, char *out, size_t size);
int bm_pooler_resume(struct bm_hook *hook, struct bm_error *err);
int bm_pooler_switch(struct bm_hook *hook, struct bm_error *err);
/* What was set for the moment is as before. */
int bm_pooler_settle(struct bm_hook *hook, struct bm_error *err);
void bm_pooler_close(struct bm_hook *hook);

/* The keywords of its connection. */
struct bm_conninfo;
void bm_hook_conninfo(const struct bm_hook *hook, struct bm_conninfo *out);

#endif
