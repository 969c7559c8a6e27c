/*
 * internal - the machine's object, shared by the files of this folder
 *
 * machine.c owns it and runs the tick; machine_settings.c loads what a person wrote;
 * parts.c makes the units and the connections, reconfigure.c follows changes;
 * act.c carries out actions; snapshot.c tells about it.
 */
#ifndef DAEMON_MACHINE_INTERNAL_H
#define DAEMON_MACHINE_INTERNAL_H

#include "bucardo_machine/observer.h"
#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/config.h"
#include "bucardo_machine/folder.h"
#include "bucardo_machine/machine.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/postgres.h"
#include "bucardo_machine/supervise.h"
#include "bucardo_machine/watchdog.h"
#include "daemon/machine/event_store.h"
#include "daemon/machine/events.h"
#include "base/process/host.h"
#include "daemon/machine/plan.h"
#include "daemon/supervise/restarts.h"
#include "daemon/machine/stops.h"
#include "daemon/volume/volume.h"

/* Room for the message of an error. */
#define FAILURE_BYTES 640

/* One unit with what the machine knows beyond its state. */
struct slot {
	enum bm_role role;
	char *name;
	struct bm_unit *unit;
	struct bm_program *program; /* NULL for Bucardo */
	struct bm_stop stop;
	bool retired;
	bool restarting; /* goes down in its turn, and up again at once */
	struct bm_machine *machine;
};

struct paths {
	char *volume, *runtime, *pgpass_secret;
	char *data_dir, *home, *pgpass, *config, *example;
	char *http_listen; /* where machine.yaml does not say it; NULL: nowhere */
	/* The runtime folder for Bucardo and PostgreSQL: another name where they cannot deal
	 * with its own (folder.h). */
	const char *plain_runtime;
	char runtime_name[BM_FOLDER_NAME_SIZE];
	int runtime_fd;
	char bin_dir[256];
	unsigned major;
};

/* A copy of a struct bm_db_sample that lives until the next sample. */
struct kept_database {
	char name[64], role[16], error[512];
	enum bm_reach reach;
	uint64_t since_msec;
};

/* What a person wrote, and the options that override it (machine_settings.c). */
struct settings {
	bool strict;
	bool keep_log_format, keep_log_level;
	struct bm_config *config;
	const char *state; /* "unread", "default", "loaded", "rejected" */
	struct bm_strbuf errors;
	struct bm_strbuf pgpass_warnings;
	struct bm_folder_watch *config_watch, *pgpass_watch;
};

/* Why the machine holds; `what` NULL means it does not. Static or owned texts. */
struct hold {
	bool active;
	char what[64]; /* "read-only", "locked", "bad-config" ... */
	char why[768];
	char hint[512];
};

/* What was found on the volume, and whether it may be touched (hold.c; act.c and parts.c add to
 * it what a made cluster and the first sample say). */
struct volume {
	int lock_fd;
	struct bm_volume_report report;
	struct hold hold;
	char found[160];
};

/* What runs: extras, postgres, bucardo, in this order (parts.c). */
struct units {
	size_t count;
	struct slot **slots;
	struct bm_plan_unit *plan; /* room for the plan's view and answer: */
	bool *wants;		   /* one element a slot */
	struct slot *postgres, *bucardo;
};

/* What was observed of the cluster and of Bucardo, and the last tries to make them (act.c;
 * parts.c takes back what is clear when a unit's state changes). */
struct install {
	bool postmaster_clear, tree_clear;
	bool tree_ran; /* Bucardo, since the tree was found clear */
	bool installing, installed;
	uint64_t done_at_msec, retry_at_msec, cluster_retry_at_msec;
	/* why the last try failed; "" when it did not */
	bool is_older; /* than the program that wrote the journal: `error` says so */
	char error[FAILURE_BYTES], cluster_error[FAILURE_BYTES], clear_error[FAILURE_BYTES];
};

/* Storage of the last snapshot, and what the last sample said of the databases (snapshot.c). */
struct view {
	bool sample_seen;
	size_t database_count;
	struct kept_database *databases;
	struct bm_status_unit *units;
	struct bm_status_database *database_rows;
	struct bm_sync_view *syncs;
	char doubt[1024]; /* why nothing is known of them */
	struct bm_migration_view *migrations;
	/* what `worker notify` said last */
	size_t receiver_count;
	struct bm_receiver_report receivers[BM_RECEIVERS_MOST];
};

/* The standing check of the control database (probes.c). */
struct probe {
	bool pending;
	uint64_t failures, failed_msec; /* since when it fails; 0: it does not */
};

/* One walk from what is observed to what is done (machine.c). */
struct tick {
	struct bm_timer *heartbeat;
	bool is_running, again, deferred;
};

/* How the whole machine is (evaluate.c). */
struct health {
	enum bm_machine_state state;
	bool was_ready;
	uint64_t since_msec;
	char why[768], advice[512];
};

/* The end (machine.c). */
struct stop {
	bool asked, finished;
	char why[256];
	uint64_t deadline_msec, reported_msec;
};

struct bm_machine {
	struct bm_loop *loop;
	struct paths paths;
	int64_t started_at;
	int exit_code;

	/* each belongs to the file that its struct names */
	struct settings settings;
	struct volume volume;
	struct units units;
	struct install install;
	struct view view;
	struct probe probe;
	struct tick tick;
	struct health health;
	struct stop stop;

	/* objects of other areas, made by parts.c */
	struct bm_events *events;
	struct bm_event_store *event_store;
	struct bm_bucardo *bucardo;
	struct bm_conn *admin;	 /* database postgres: readiness and installation */
	struct bm_conn *control; /* database bucardo */
	struct bm_observer *observer;
	struct bm_migrate *migrate;
	struct bm_cluster_init *cluster_init;
	struct restarts restarts;     /* of Bucardo */
	struct bm_strbuf unreachable; /* which databases keep Bucardo from starting */
	struct bm_work postgres_work;
	struct host host;
};

/* machine.c */
void bm_machine_tick_soon(struct bm_machine *machine);

/* machine_settings.c */
void bm_settings_open(struct bm_machine *machine);
void bm_settings_close(struct bm_machine *machine);
/* The folders may have been replaced: watch the present ones, and read them. */
void bm_settings_rewatch(struct bm_machine *machine);
/* Load machine.yaml for the first time; false: it is unusable, errors are kept. */
bool bm_settings_load(struct bm_machine *machine);
void bm_settings_refresh_pgpass(struct bm_machine *machine);

/* parts.c */
void bm_parts_create(struct bm_machine *machine);
void bm_parts_destroy(struct bm_machine *machine);
void bm_parts_add_extra(struct bm_machine *machine, const struct bm_config_unit *unit);
struct bm_bucardo_options bm_parts_bucardo_options(const struct bm_machine *machine);
/* A unit that is a program; copies all. */
struct slot *bm_parts_add_program(struct bm_machine *machine, enum bm_role role,
		const struct bm_program_spec *spec, const struct bm_unit_policy *policy);
/* Free retired units that are down. */
void bm_parts_sweep(struct bm_machine *machine);
/* NULL when there is no unit of that name. */
struct slot *bm_parts_find(struct bm_machine *machine, const char *name);
/* 0: not running. */
pid_t bm_parts_pid(const struct slot *slot);
struct bm_cluster_paths bm_parts_cluster(const struct bm_machine *machine);
/* Down and up again; what stands on it goes down before, as in a stop. */
void bm_parts_restart(struct slot *slot, const char *why);

/* probes.c */
/* The standing check of the control database: cheap, and never two at a time. */
void bm_probe_control(struct bm_machine *machine);
/* Ask for a sign of life over this connection. */
void bm_probe_now(struct bm_machine *machine, struct bm_conn *conn);

/* reconfigure.c */
/* `worker http` and `worker notify` among the units, where they are wanted. */
void bm_parts_add_clients(struct bm_machine *machine);
/* Bring units and limits in line with machine->settings.config; the keys whose change waits for
 * the next start of the machine are put into `later`. */
void bm_parts_reconfigure(struct bm_machine *machine, const struct bm_config *old,
		struct bm_strbuf *later);

/* snapshot.c */
/* Keep what the sample says of the databases, for status. */
void bm_databases_keep(struct bm_machine *machine, const struct bm_observation *observation);
void bm_databases_finish(struct bm_machine *machine);
/* Nobody knows how the receivers stand: `worker notify` does not run. */
void bm_receivers_forget(struct bm_machine *machine);

/* migrations.c */
void bm_migrations_create(struct bm_machine *machine);
/* After an observation: a resume is over once its syncs are active again. */
void bm_migrations_reconcile(struct bm_machine *machine);

/* act.c */
/* True when it changed something at once, so that the plan should be asked again. */
bool bm_act(struct bm_machine *machine, enum bm_action action, const char *why);
/* Open or close connections and the observer to follow the units' states. */
void bm_act_follow(struct bm_machine *machine);

/* hold.c: may the volume be touched? Takes the lock on the way. */
void bm_hold_check(struct bm_machine *machine);

/* evaluate.c: the state of the whole machine, its reason and the advice. */
void bm_evaluate(struct bm_machine *machine);
/* Every step was taken and the sync is still stalled: over as soon as it recovers. */
bool bm_evaluate_is_at_last_step(const struct bm_sync_view *sync);

#endif
