/*
 * command - what one command line asks for, and the table of all commands
 *
 * One row of the table holds a command's words, its grammar, its help and its
 * function, so that what is accepted, what is documented and what is done cannot
 * drift apart. Parsing never exits or prints: bm_cli_main() does.
 */
#ifndef CLIENT_CLI_COMMAND_H
#define CLIENT_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/supervise.h"

/* Exit codes of every command; `run` has BM_EXIT_* of machine.h, the same numbers. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_UNUSABLE = 3,
	CLI_MOMENTS = 4,   /* `clone`: tables of several moments of the source */
	CLI_UNPROVEN = 4,  /* `verify`: something could not be proven equal */
	CLI_UNCHANGED = 4, /* `cutover`, `failback`: not ready, or undone; nothing has changed
			    */
	CLI_DEGRADES = 4,  /* `doctor`: something is wrong */
	CLI_DIFFERENT = 5, /* `verify`: something is different */
	CLI_STOPS = 5,	   /* `doctor`: something stops the migration */
};

/* Options, as a set: which of them a command takes. */
typedef uint64_t cli_options;
#define CLI_VOLUME ((cli_options)1 << 0)
#define CLI_RUNTIME ((cli_options)1 << 1)
#define CLI_PGPASS ((cli_options)1 << 2)
#define CLI_STRICT ((cli_options)1 << 3)
#define CLI_LOG_FORMAT ((cli_options)1 << 4)
#define CLI_LOG_LEVEL ((cli_options)1 << 5)
#define CLI_JSON ((cli_options)1 << 6)
#define CLI_WATCH ((cli_options)1 << 7)
#define CLI_FOLLOW ((cli_options)1 << 8)
#define CLI_UNTIL ((cli_options)1 << 9)
#define CLI_FIX ((cli_options)1 << 10)
#define CLI_SOURCE ((cli_options)1 << 11)
#define CLI_DESTINATION ((cli_options)1 << 12)
#define CLI_JOBS ((cli_options)1 << 13)
#define CLI_CHUNK ((cli_options)1 << 14)
#define CLI_MAX_RATE ((cli_options)1 << 15)
#define CLI_THROTTLE ((cli_options)1 << 16)
#define CLI_INCLUDE ((cli_options)1 << 17)
#define CLI_EXCLUDE ((cli_options)1 << 18)
#define CLI_ACCEPT_MOMENTS ((cli_options)1 << 19)
#define CLI_SHOW_ALL ((cli_options)1 << 20)
#define CLI_SINCE ((cli_options)1 << 21)
#define CLI_YES ((cli_options)1 << 22)
#define CLI_GROUP ((cli_options)1 << 23)
#define CLI_REWRITE ((cli_options)1 << 24)
#define CLI_EXPECT ((cli_options)1 << 25)
#define CLI_KEEP_SIGNALS ((cli_options)1 << 26)
#define CLI_WITHOUT ((cli_options)1 << 27)
#define CLI_TABLE ((cli_options)1 << 28)
#define CLI_SHOW_VALUES ((cli_options)1 << 29)
#define CLI_WAIT ((cli_options)1 << 30)
#define CLI_HASH ((cli_options)1 << 31)
#define CLI_REPORT ((cli_options)1 << 32)
#define CLI_REPAIR ((cli_options)1 << 33)
#define CLI_DELETE_EXTRA ((cli_options)1 << 34)
#define CLI_INCREMENTAL ((cli_options)1 << 35)
#define CLI_CHECK ((cli_options)1 << 36)
#define CLI_REHEARSE ((cli_options)1 << 37)
#define CLI_BUDGET ((cli_options)1 << 38)
#define CLI_ACCEPT ((cli_options)1 << 39)
#define CLI_VERIFY ((cli_options)1 << 40)
#define CLI_OUTPUT ((cli_options)1 << 41)
#define CLI_MAX_SNAPSHOT ((cli_options)1 << 44)

/* Of `run -- COMMAND` alone. */
#define CLI_OF_CHILD (CLI_GROUP | CLI_REWRITE | CLI_EXPECT | CLI_KEEP_SIGNALS)

/* How often --include or --exclude may be given. */
#define CLI_MOST_PATTERNS 64

/* A command line, understood. Texts are borrowed from argv and the environment. */
struct cli_call {
	const struct cli_command *command;
	char *const *words; /* those after the command's own */
	size_t word_count;
	struct bm_single single; /* how that is run */
	char *const *child;	 /* what stands after `--`, NULL-terminated; NULL: no `--` */
	bool want_help;
	const char *volume, *runtime, *pgpass;
	const char *source, *destination; /* NULL: not given */
	const char *include[CLI_MOST_PATTERNS + 1],
			*exclude[CLI_MOST_PATTERNS + 1];  /* to NULL */
	const char *tables[CLI_MOST_PATTERNS + 1];	  /* to NULL */
	unsigned jobs, chunk_mib, wait_sec, snapshot_sec; /* 0: not given */
	uint64_t max_rate; /* bytes a second; 0: not given, or none */
	bool strict, json, watch, follow, fix, throttle, accept_moments, all, yes;
	bool check, rehearse;
	unsigned budget_msec;			   /* 0: not given */
	const char *accept[CLI_MOST_PATTERNS + 1]; /* to NULL */
	bool show_values, incremental, repair, delete_extra, portable_hash, verify;
	const char *output;  /* a file, or "-"; NULL: not given */
	const char *report;  /* a file; NULL: not given */
	const char *until;   /* the name of a phase; NULL: not given */
	const char *since;   /* "2h" or a time; NULL: not given */
	const char *without; /* "source", "destination" or "both"; NULL: not given */
	enum bm_log_format log_format;
	enum bm_log_level log_level;
	bool log_level_given, log_format_given;
};

/* What a command is for; `help` lists them in this order. */
enum cli_task {
	CLI_TASK_NONE,	/* not for people */
	CLI_TASK_FIRST, /* to see at first glance */
	CLI_TASK_SEE,
	CLI_TASK_MIGRATE,
	CLI_TASK_COPY,
	CLI_TASK_MACHINE,
	CLI_TASK_UNLISTED /* nobody looks for it in a list */
};

struct cli_command {
	enum cli_task task;
	const char *name;      /* one or two words, as typed: "config check" */
	const char *arguments; /* for the usage line: "[FILE]" */
	cli_options options;
	size_t least, most;	    /* words it takes */
	bool takes_child;	    /* `-- COMMAND...` may follow */
	bool raw;		    /* everything after the name is its own business */
	const char *summary;	    /* a phrase, for the list */
	const char *first, *second; /* what the Tab key offers for its words: "live ready", or
				     * "@migrations", "@units", "@commands"; NULL nothing */
	const char *help;	    /* the rest, for `help COMMAND` */
	int (*run)(const struct cli_call *call);
};

/* The table, alphabetical by name. */
const struct cli_command *cli_commands(size_t *count);

/* The row called `name`, or NULL. */
const struct cli_command *cli_command_find(const char *name);

/*
 * Understand a command line. On failure the message says what was typed and what
 * is possible. No word at all means `help`. `argv` is reordered as getopt does.
 */
int cli_parse(int argc, char **argv, struct cli_call *out, struct bm_error *err);

/* Take one option with its value, NULL without, into the call; values.c. */
int cli_take_option(struct cli_call *call, cli_options option, const char *text,
		struct bm_error *err);

/* Whether the name of a command begins with the word: "status", "config" of "config check". */
bool cli_command_begins(const char *word);

/* "; did you mean 'status'?" for the nearest command; nothing when none is near. */
void cli_suggest_command(const char *word, struct bm_strbuf *out);

/* The options, without "--", from 0 on; NULL: the end. `takes_value` and `option` (0 for help)
 * may be NULL. */
const char *cli_option_at(size_t index, cli_options *option, bool *takes_value);

/* The screens of `help`, within the width of the screen; cli_print_usage() sets that. */
void cli_render_help(struct bm_strbuf *out);
void cli_render_usage(const struct cli_command *command, struct bm_strbuf *out);
void cli_render_flowed(const char *text, struct bm_strbuf *out);
void cli_print_usage(const struct cli_command *command);

/* --yes, or a person types it; where nobody can, `otherwise` says what was not done. */
bool cli_confirm(const struct cli_call *call, const char *otherwise);

/* On a terminal, unless NO_COLOR says otherwise. */
bool cli_wants_colour(void);

/* Run `worker phase` on `request` until it ends; `receive` gets its lines, `why` how it ended
 * when it gave no result. -1 with `err` when it cannot be started. */
struct bm_phase_line;
int cli_ask_worker(const struct cli_call *call, const char *request,
		void (*receive)(void *ctx, const struct bm_phase_line *line), void *ctx,
		struct bm_strbuf *why, struct bm_error *err);

/* 0 where stdout is no terminal. */
struct winsize cli_screen_size(void);

/* The function of each row; each lives in the file named after its first word. */
int cli_clone(const struct cli_call *call);
int cli_complete(const struct cli_call *call);
int cli_completion(const struct cli_call *call);
int cli_config_check(const struct cli_call *call);
int cli_config_example(const struct cli_call *call);
int cli_config_reference(const struct cli_call *call);
int cli_config_reload(const struct cli_call *call);
int cli_config_show(const struct cli_call *call);
int cli_cutover(const struct cli_call *call); /* and failback */
int cli_databases(const struct cli_call *call);
int cli_doctor(const struct cli_call *call);
int cli_events(const struct cli_call *call);
int cli_health(const struct cli_call *call);
int cli_help(const struct cli_call *call);
int cli_accept(const struct cli_call *call);
int cli_manual(const struct cli_call *call);
int cli_migrate(const struct cli_call *call);
int cli_pause(const struct cli_call *call);
int cli_plan(const struct cli_call *call);
int cli_resume(const struct cli_call *call);
int cli_run(const struct cli_call *call);
int cli_service_list(const struct cli_call *call);
int cli_service_restart(const struct cli_call *call);
int cli_service_start(const struct cli_call *call);
int cli_service_stop(const struct cli_call *call);
int cli_session(const struct cli_call *call);
int cli_status(const struct cli_call *call);
int cli_support_bundle(const struct cli_call *call);
int cli_teardown(const struct cli_call *call);
int cli_teardown_machine(const struct cli_call *call); /* of one migration, by the machine */
/* One line of what `teardown` did: of an event on a side, and a command that goes with it, or
 * ""; the same with an SQL statement; and that nothing is left. */
void cli_teardown_print(const struct cli_call *call, const char *event, const char *role,
		const char *what, const char *statement);
void cli_teardown_print_left(const struct cli_call *call, const char *event, const char *role,
		const char *what, const char *statement);
void cli_teardown_print_clean(const struct cli_call *call, const char *role, const char *place,
		const char *others);
int cli_verify(const struct cli_call *call);
/* What `clone --verify` does once it has copied: both databases by --source and --destination.
 */
int cli_verify_clone(const struct cli_call *call);
int cli_version(const struct cli_call *call);
int cli_worker(const struct cli_call *call);
int cli_worker_http(const struct cli_call *call);
int cli_worker_notify(const struct cli_call *call);
int cli_notify(const struct cli_call *call);

#endif
