/* internal - what the files of src/daemon/bucardo share about one struct bm_bucardo. */
#ifndef DAEMON_BUCARDO_INTERNAL_H
#define DAEMON_BUCARDO_INTERNAL_H

#include "daemon/health/health.h"
#include "daemon/health/escalation.h"
#include "daemon/processes/title.h"
#include "daemon/processes/process_tree.h"
#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/log.h"

#define BUCARDO_AREA "bucardo"

/* ---- daemon.c: the tree as one unit ---- */

enum daemon_phase {
	DAEMON_ABSENT,	 /* no tree */
	DAEMON_LEARNING, /* a pid file we did not cause appeared: whose is it? */
	DAEMON_CLEARING, /* about to start: leftovers are ending */
	DAEMON_RUNNING,	 /* the master lives */
	DAEMON_ENDING	 /* the master is gone, others of its tree are ending */
};

struct daemon {
	enum daemon_phase phase;
	pid_t pid; /* of the master */
	uint64_t start_time;
	struct bm_pidfd_watch *watch; /* an adopted master that is no child of ours */
	bool stopping;		      /* the unit asked for the end */
	bool own_stop_file;	      /* we wrote it */
	bool operator_stop;	      /* a person wrote it */
	bool idle_at_start;	      /* the master began without any active sync */
	uint64_t loop_msec;	      /* when it said that it is in its main loop; 0 not yet */
	size_t loop_syncs;	      /* how many it serves then, as it said */
	size_t served;		      /* how many controllers it has started on its way there */
	uint64_t served_msec;	      /* when the last of them came */
	uint64_t begun_msec;	      /* when this master was started, or found */
	uint64_t ready_msec;	      /* bm_clock_msec(); 0: not ready */
	uint64_t since_msec;	      /* when this phase began */
	int exit_status;
	bool lost_database;	/* the master's last words were about a connection */
	char last_words[256];	/* of the master; "" none */
	char refusal[512];	/* why launch.pl did not start it; "" it did */
	struct bm_timer *timer; /* the unit's */
	struct bm_timer *pulse; /* looks again while something is on its way */
};

extern const struct bm_unit_host bucardo_unit_host; /* ctx: struct bm_bucardo */

void daemon_pulse(void *ctx);
/* Something changed in the piddir. */
void daemon_piddir_changed(struct bm_bucardo *bucardo);
void daemon_close(struct bm_bucardo *bucardo);

/* ---- output_lines.c: what Bucardo prints becomes our log ---- */

struct output {
	struct bm_lines *pipe; /* stdout and stderr of the master we started */
	struct bm_lines *fifo; /* log.bucardo of the trees that persons start */
	struct logged {	       /* lines that would repeat, with the time they were last told */
		uint64_t hash, msec;
	} logged[16];
	uint64_t refused_msec; /* when a session was last refused */
	char refused[80];      /* the connection that was refused then */
};

/* Make the FIFO that .bucardorc names as the log, and read it. */
int output_open_fifo(struct bm_bucardo *bucardo, struct bm_error *err);
/* A pipe for a new master; its write end, or -1. */
int output_open_pipe(struct bm_bucardo *bucardo, struct bm_error *err);
void output_close(struct bm_bucardo *bucardo);

/* ---- children.c: VAC, CTL and KID, watched so that their loss has no consequence ---- */

struct children_member {
	enum bucardo_role role;
	char sync[TREE_NAME_SIZE];
	pid_t pid;
	struct bm_pidfd_watch *watch;
	struct bm_bucardo *bucardo;
	struct children_member *next;
};

struct children {
	struct children_member *members;
	struct bm_folder_watch *folder;
	uint64_t vac_seen_msec; /* when a VAC was last there */
};

int children_open(struct bm_bucardo *bucardo, struct bm_error *err);
/* Compare the pid files with what is watched. */
void children_rescan(struct bm_bucardo *bucardo);
bool children_has(const struct bm_bucardo *bucardo, enum bucardo_role role, const char *sync);
void children_close(struct bm_bucardo *bucardo);

/* ---- evaluate_syncs.c: samples in, views and repairs out ---- */

struct evaluated_sync {
	char *name;
	struct sync_history history;
	struct escalation_state escalation;
	int64_t escalation_lag_msec; /* when its first step was taken; -1: none */
	enum bm_health health;
	uint64_t since_msec;
	struct bm_strbuf why, advice;
	char *bad_text, *blocker_query, *blocker_db;
	int64_t backlog_rows, lag_msec, good_age_msec, bad_age_msec;
	int64_t requeued_rows; /* since it was registered */
	int64_t conflicts, applied_rows;
	pid_t blocker_pid;
	bool active, reachable, run_open;
	bool autokick; /* it is meant to run by itself, or its migration released it */
	bool released; /* nobody but us kicks it */
	unsigned recent_failures;
	bool was_lost;	      /* its KID ended and has not come back */
	bool known_to_master; /* was there when the master got ready */
	bool was_held; /* its migration had not begun to replicate when it was evaluated */
	uint64_t active_msec;	     /* since when it is known to be active */
	uint64_t served_msec;	     /* when its CTL was last there */
	uint64_t refused_msec;	     /* when the master last failed to validate it */
	char refusal[300];	     /* why, as a sentence */
	uint64_t kicked_msec;	     /* when we last kicked it */
	uint64_t reported_kick_msec; /* when the log last said so */
	uint64_t reread_msec;	     /* when it last read its tables anew for failing */
	uint64_t missing_msec;	     /* since when it has no CTL though it should; 0: it has */
	bool missing_autokick;	     /* autokick then: a change starts the time anew */
	uint64_t revived_msec;	     /* when we last tried to give it one */
	unsigned revivals;
	int wish; /* a person asked for it to be active (1), or not (-1); 0 it is */
	uint64_t wish_sent_msec; /* when the master was told last; 0 not yet */
	unsigned wish_sent;	 /* how often */
	uint64_t contrary_msec;	 /* since when its status is not what it asks for; 0 it is */
	uint64_t word_msec;	 /* when a word of that kind was last said or heard; 0 never */
	bool resuming;		 /* the wish is a resume of its migration */
	bool paused;		 /* by a person; only the master's memory has it */
	uint64_t paused_msec;	 /* when */
	bool present;		 /* in the latest sample */
};

struct sync_evaluation {
	size_t count;
	struct evaluated_sync *syncs;
	uint64_t taken_msec;	      /* 0: no sample yet */
	struct bm_strbuf unreachable; /* names and errors of those databases */
	bool can_start;
	bool stopped; /* by an operator, through the machine */
};

struct evaluated_sync *evaluate_find(struct bm_bucardo *bucardo, const char *name);
void evaluate_close(struct bm_bucardo *bucardo);

/* ---- master.c: what is said to the master, whether it hears, and whether it works ---- */

struct master {
	char refusal[200];	    /* its last words about a sync that it validates */
	uint64_t stopped_seen_msec; /* since when it is in state T; 0 */
	uint64_t ping_msec;	    /* a ping is on its way since; 0 */
	uint64_t asked_msec;	    /* when that was sent last */
	uint64_t pong_msec;	    /* the last answer, or attempt */
	uint64_t received_msec;	    /* it has heard all that was said until then */
	uint64_t reload_msec;	    /* it was told to reload itself, and has not answered; 0 */
	uint64_t sign_msec; /* its last sign: an answer, a line, a statement under way */
	uint64_t work_msec; /* when its processor time last grew */
	uint64_t cpu_ticks;
	uint64_t probed_msec; /* when statements under way were last asked for */
	size_t queue;	      /* syncs that wait until it has activated another */
	bool is_probing;
};

/* Not while it starts, and not while it has to answer for what it was told before: a sync's
 * verb ("kick", "activate", ...). False: not sent. What is to have an effect is said again. */
bool master_send(struct bm_bucardo *bucardo, const char *verb, const char *sync);
/* Read all syncs anew; one reload does for all that need it. */
bool master_reload(struct bm_bucardo *bucardo);
/* It has not answered for a while, which is no reason to end it. */
bool master_is_busy(const struct bm_bucardo *bucardo, uint64_t now);
/* It activates one sync after the other, and some wait for their turn. */
bool master_has_queue(const struct bm_bucardo *bucardo, uint64_t now);
/* Look at its processor time; it is working on its start, and that is progress of the unit. */
void master_watch_start(struct bm_bucardo *bucardo, const struct bm_process *process);
void master_spoke(struct bm_bucardo *bucardo, const char *line);
void master_answered(struct bm_bucardo *bucardo);
void master_reloaded(struct bm_bucardo *bucardo);
/* A new one: nothing is known of it. */
void master_forget(struct bm_bucardo *bucardo);
/* Why it has to be started anew; NULL it has not. */
const char *master_trouble(struct bm_bucardo *bucardo, uint64_t now);

/* ---- wish.c: `bucardo activate` and `deactivate`, which the master may miss ---- */

/* Ours: 1 active, -1 not; said at the next check. */
void wish_set(struct evaluated_sync *sync, int wish);
void wish_active(struct bm_bucardo *bucardo, struct evaluated_sync *sync);
void wish_inactive(struct bm_bucardo *bucardo, struct evaluated_sync *sync);
/* Say it again until it has its effect. */
void wish_check(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now);

/* ---- served.c: whether a sync has its controller ---- */

/* Those that have one have it now. */
void served_record(struct bm_bucardo *bucardo);
/* A line of the master's: it says which sync it could not validate, and why. */
void served_receive(struct bm_bucardo *bucardo, const char *line);
/* It is meant to be applied, and has no controller, which is not just being replaced. */
bool served_is_missing(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync,
		uint64_t now);
/* Say so in its view, unless that has a reason of its own why nothing is applied. */
void served_show(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync,
		struct bm_sync_view *view, uint64_t now);

/* ---- repair.c: what is done about it; nothing of it loses a row ---- */

void repair_kick(struct bm_bucardo *bucardo, struct evaluated_sync *sync, const char *why);
void repair_all(struct bm_bucardo *bucardo);
/* A run of the sync has ended; one that nobody else kicks goes on at once. */
void repair_run_ended(struct bm_bucardo *bucardo, struct evaluated_sync *sync);

/* ---- bucardo_settings.c: limits on databases and syncs, housekeeping of syncrun ---- */

struct settings {
	bool busy;
	uint64_t applied_msec, pruned_msec;
	size_t sync_count, db_count; /* of the sample they were applied for */
};

void settings_observe(struct bm_bucardo *bucardo, const struct bm_observation *observation);

/* ---- listen.c: what is said about single syncs ---- */

/* Ask to hear it, for all syncs that are known; may be repeated. */
void listen_begin(struct bm_bucardo *bucardo);
void listen_receive(struct bm_bucardo *bucardo, const char *channel);

/* ---- pause.c: `bucardo pause`, which no table knows of ---- */

void pause_begins(struct bm_bucardo *bucardo, struct evaluated_sync *sync);
void pause_ends(struct bm_bucardo *bucardo, struct evaluated_sync *sync);
/* A sync that has a CTL again is paused no more: a reload overrides a pause. */
void pause_check(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now);

/* ---- install.c ---- */

struct installation;
void installation_cancel(struct installation *installation); /* NULL is accepted */

/* ---- the object ---- */

/* What bm_bucardo_declare() was told. */
struct declared {
	size_t count;
	struct declared_sync {
		char *name;
		bool released, paused, resuming, changing;
		bool resumed; /* it is to be activated */
	} * syncs;
};

struct bm_bucardo {
	struct bm_loop *loop;
	struct bm_conn *conn;
	struct bm_bucardo_options options;
	unsigned slowness; /* bm_bucardo_set_slowness(); 1 at least */
	void (*changed)(void *ctx, struct bm_unit *unit);
	void (*event)(void *ctx, enum bm_bucardo_event event, const char *text);
	void *ctx;
	struct bm_unit *unit;
	char *piddir, *stop_file, *reason_file, *log_dir;
	char *piddir_name; /* the piddir as Bucardo is told it: a path that it can deal with */
	struct daemon daemon;
	struct output output;
	struct children children;
	struct master master;
	struct sync_evaluation evaluation;
	struct bm_recoveries recoveries;
	struct declared declared;
	struct settings settings;
	struct installation *installation;
};

/* declared.c: NULL when no migration made this sync. */
struct declared_sync *declared_find(const struct bm_bucardo *bucardo, const char *sync);
void declared_finish(struct bm_bucardo *bucardo);

/* Tell the owner; `format` makes the text. */
void bucardo_event(struct bm_bucardo *bucardo, enum bm_bucardo_event event, const char *format,
		...) __attribute__((format(printf, 3, 4)));

#endif
