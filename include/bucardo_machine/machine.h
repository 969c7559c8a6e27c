/*
 * machine - the brain: what is desired, what is observed, and the next step
 *
 * A level-triggered reconciler. Every event ends in a tick: observe, let the pure
 * function in plan.c name the next action, carry it out, until it says wait.
 * Nothing remembers what it was about to do, so a crash at any instant is just
 * another start.
 *
 * Threads: loop thread only.
 */
#ifndef BUCARDO_MACHINE_MACHINE_H
#define BUCARDO_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/receivers.h"
#include "bucardo_machine/status.h"
#include "bucardo_machine/strbuf.h"

/* Exit codes of `run`. */
#define BM_EXIT_OK 0	 /* stopped as asked */
#define BM_EXIT_FAILED 1 /* something failed for good */
#define BM_EXIT_USAGE 2
#define BM_EXIT_UNUSABLE 3 /* configuration or volume unusable (--strict) */

struct bm_machine_options {	 /* copied */
	const char *volume;	 /* default /var/lib/bucardo-machine */
	const char *runtime;	 /* default /run/bucardo-machine */
	const char *pgpass;	 /* the Secret; default /etc/bucardo-machine/pgpass/pgpass */
	const char *http_listen; /* where machine.yaml does not say it; NULL: nowhere */
	bool strict;		 /* exit with BM_EXIT_UNUSABLE instead of holding */
	bool keep_log_format, keep_log_level; /* chosen already: not those of machine.yaml */
};

struct bm_machine;

struct bm_machine *bm_machine_create(
		struct bm_loop *loop, const struct bm_machine_options *options);

/* Begin to work. When it has to end, it stops the loop; see bm_machine_exit_code(). */
void bm_machine_start(struct bm_machine *machine);

/* Ordered stop, within supervision.stop_deadline from the first call. */
void bm_machine_stop(struct bm_machine *machine, const char *why);

int bm_machine_exit_code(const struct bm_machine *machine);
void bm_machine_destroy(struct bm_machine *machine); /* NULL is accepted */

/* Fill a snapshot; see status.h for how long it is valid. */
void bm_machine_status(struct bm_machine *machine, struct bm_status *out);

/* live: the loop turns (true by being answered). ready: state READY; `why` says not. */
bool bm_machine_is_ready(struct bm_machine *machine, const char **why);

/* `service VERB NAME`; `by` names who asked ("uid 0"), kept with a stop. */
enum bm_service_verb { BM_SERVICE_START, BM_SERVICE_STOP, BM_SERVICE_RESTART };
int bm_machine_service(struct bm_machine *machine, enum bm_service_verb verb, const char *unit,
		const char *by, struct bm_error *err);

/* `migrate`, `pause`, `resume`; `until` counts for BM_MIGRATE_GO only. */
int bm_machine_migrate(struct bm_machine *machine, enum bm_migrate_verb verb, const char *name,
		enum bm_phase until, const char *by, struct bm_error *err);

/* `teardown NAME`, and what it hands to `worker phase` to preview it: see migrate.h. */
int bm_machine_teardown(struct bm_machine *machine, const char *name, const char *without,
		const char *by, struct bm_error *err);
char *bm_machine_teardown_preview(
		struct bm_machine *machine, const char *name, struct bm_error *err);

/* `cutover` and `failback`, and what they hand to `worker phase` to look whether all is ready.
 */
int bm_machine_change(struct bm_machine *machine, const char *name,
		const struct bm_change *change, const char *by, uint64_t *number,
		struct bm_error *err);
char *bm_machine_change_check(struct bm_machine *machine, const char *name,
		const struct bm_change *change, struct bm_error *err);

/* What `plan NAME` hands to `worker phase`; see bm_migrate_preflight_request(). */
char *bm_machine_plan(
		struct bm_machine *machine, const char *name, bool fix, struct bm_error *err);

/* What `doctor NAME` hands to `worker phase`; see bm_migrate_doctor_request(). */
char *bm_machine_doctor(struct bm_machine *machine, const char *name, struct bm_error *err);

/* How each receiver stands, as `worker notify` says; forgotten when its unit ends. */
void bm_machine_notified(struct bm_machine *machine, const struct bm_receiver_report *reports,
		size_t count);

/* Read machine.yaml again; -1 with the list of errors when it was refused. */
int bm_machine_reload(struct bm_machine *machine, struct bm_strbuf *errors);

/* The effective configuration, as bm_config_show(). */
void bm_machine_show_config(struct bm_machine *machine, struct bm_strbuf *out);

/* ---- events: at least the newest 10,000 things that happened, newest last ---- */
struct bm_machine_event {
	uint64_t id; /* grows from event to event, over restarts as well; not by one */
	int64_t at;  /* wall msec */
	enum bm_log_level level;
	const char *subject; /* unit or sync name, "machine", "config", "volume" */
	const char *text;
};

/* The oldest event with an id greater than `after`; false when there is none. */
bool bm_machine_event_after(
		struct bm_machine *machine, uint64_t after, struct bm_machine_event *out);

/* Tell `cb` after each new event (one listener: control). */
void bm_machine_on_event(struct bm_machine *machine, void (*cb)(void *ctx), void *ctx);

#endif
