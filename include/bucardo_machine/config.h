/*
 * config - machine.yaml as an immutable value, and the rules it is held against
 *
 * One table of keys (path, type, unit, default, limits, help) in
 * src/base/config/keys.c drives loading, checking, `config show` and the printed
 * reference. Loading collects every error, each with file:line:column, the
 * key's path, what was found and what is allowed; one error is enough to get no
 * configuration at all. Also here: the checks of pgpass, and its runtime copy.
 *
 * Ownership: a struct bm_config and all it points to is one arena, freed with
 * bm_config_destroy(). It never changes after loading; share it as const.
 */
#ifndef BUCARDO_MACHINE_CONFIG_H
#define BUCARDO_MACHINE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/strbuf.h"

/* The largest file that is read, in bytes. */
#define BM_CONFIG_LIMIT_BYTES ((size_t)1024 * 1024)

struct bm_config_unit {		       /* units[]: an extra process, up before postgres */
	const char *name;	       /* [a-z][a-z0-9-]*, none of the machine's own, unique */
	const char *const *command;    /* NULL-terminated, at least one */
	const char *const *env;	       /* "NAME=value", NULL-terminated; may be empty */
	const char *cwd;	       /* NULL: the machine's */
	const char *ready_tcp;	       /* "ADDRESS:PORT", numeric; NULL: none */
	const char *const *ready_exec; /* NULL: none */
	uint64_t ready_timeout_msec;   /* default 30 s */
	uint64_t stop_timeout_msec;    /* default 5 s */
};

/* The phases of a migration, in their order; `until` and the journal name them. */
enum bm_phase {
	BM_PHASE_PREFLIGHT,
	BM_PHASE_SCHEMA,
	BM_PHASE_CAPTURE,
	BM_PHASE_COPY,
	BM_PHASE_INDEX,
	BM_PHASE_REPLICATE,
	BM_PHASE_COUNT, /* of those that can be begun; what follows has a place only */
	BM_PHASE_VERIFY = BM_PHASE_COUNT,
	BM_PHASE_CUTOVER,
	BM_PHASE_FAILBACK,
	BM_PHASE_TEARDOWN,
	BM_PHASE_PLACES
};
const char *bm_phase_name(enum bm_phase phase); /* "preflight"; static */
/* False when there is no phase of this name that can be begun. */
bool bm_phase_parse(const char *name, enum bm_phase *phase);
/* Whether it names a phase that no migration goes to by itself: it is asked for by a command.
 */
bool bm_phase_is_asked_for(const char *name);

enum bm_direction { BM_DIRECTION_BOTH, BM_DIRECTION_FORWARD };
const char *bm_direction_name(enum bm_direction direction); /* "both"; static */

/* Who keeps writers off in a cut-over: the machine by a lock, or a person. */
#define BM_BUDGET_LEAST_MSEC 100
#define BM_BUDGET_MOST_MSEC 60000
enum bm_quiesce { BM_QUIESCE_LOCK, BM_QUIESCE_MANUAL };

enum bm_foreign_keys {
	BM_FOREIGN_KEYS_TRUST, /* made on empty tables; the proof comes before the cut-over */
	BM_FOREIGN_KEYS_CHECK  /* made after the rows, which checks them */
};

enum bm_keep { BM_KEEP, BM_DROP }; /* what the source has, on the destination */

struct bm_config_endpoint { /* a database; its password stands in pgpass */
	const char *host;
	unsigned port;
	const char *dbname, *user;
	const char *sslmode;	 /* as libpq names it; default prefer */
	const char *sslrootcert; /* NULL: libpq's own place */
};

struct bm_config_verify {	  /* comparing in the background */
	bool continuous;	  /* default true */
	unsigned max_load;	  /* percent of its time; default 10 */
	uint64_t interval_msec;	  /* between two passes; default 30 s */
	uint64_t full_every_msec; /* a range is read again; default 24 h */
};

enum bm_hook_type { BM_HOOK_SQL, BM_HOOK_COMMAND, BM_HOOK_PGBOUNCER, BM_HOOK_NONE };
enum bm_hook_when { BM_HOOK_BEFORE, BM_HOOK_AFTER, BM_HOOK_ABORT };
const char *bm_hook_type_name(enum bm_hook_type type); /* "sql"; static */
const char *bm_hook_when_name(enum bm_hook_when when); /* "before"; static */

struct bm_config_hook { /* cutover.hooks[]: what sends applications to the other side */
	const char *name;
	enum bm_hook_type type;
	enum bm_hook_when when;	       /* of sql and command; default after */
	uint64_t timeout_msec;	       /* default 10 s */
	const char *const *connection; /* "keyword=value" as libpq's, without a password */
	const char *const *statements; /* of sql */
	const char *const *command;    /* of command */
	/* of pgbouncer: names there, the file with their lines, and how it reaches a side */
	const char *const *databases;
	const char *file;
	const char *const *source, *const *destination;
};

struct bm_config_receiver { /* notify.receivers[]: who is told of changes of state */
	const char *name;
	const char *url, *url_file; /* a webhook: one of them; NULL: it is a command */
	const char *token_file;	    /* of a webhook; NULL: none */
	const char *ca_file;	    /* of a webhook; NULL: the system's authorities */
	const char *const *command; /* NULL: it is a webhook */
	enum bm_log_level least;    /* of what it is told; default info: everything */
	uint64_t timeout_msec;	    /* of one delivery; default 10 s */
	uint64_t interval_msec;	    /* between two messages; default 60 s */
};

struct bm_config_migration { /* migrations[]: a database to be moved */
	const char *name;    /* [a-z][a-z0-9_]*, unique */
	struct bm_config_endpoint source, destination;
	enum bm_direction direction;
	enum bm_phase run_until; /* the last phase that runs by itself */
	unsigned syncs;		 /* 1..BM_SYNCS_LIMIT */
	unsigned copy_jobs;
	uint64_t copy_max_rate; /* bytes a second; 0: no limit (default) */
	bool copy_throttle;	/* spare a source that answers late; default true */
	enum bm_foreign_keys copy_foreign_keys;
	const char *const *include, *const *exclude; /* tables: patterns; NULL: none */
	enum bm_keep owners, grants;
	const char *const *roles; /* "old=new", NULL-terminated */
	bool create_roles;
	const char *const *skip_extensions;    /* NULL: none */
	const char *const *extension_versions; /* "name=version", NULL-terminated */
	uint64_t cutover_budget_msec;	       /* default 1 s */
	enum bm_quiesce cutover_quiesce;
	bool cutover_way_back; /* with direction forward; default false */
	size_t hook_count;
	const struct bm_config_hook *hooks; /* cutover.hooks[] */
	struct bm_config_verify verify;
};

struct bm_config {
	/* supervision: */
	unsigned give_up_after;	     /* 0: never (default) */
	uint64_t stop_deadline_msec; /* default 25 s */
	uint64_t backoff_first_msec; /* default 500 ms */
	uint64_t backoff_limit_msec; /* default 30 s */
	uint64_t stable_after_msec;  /* default 60 s */
	/* bucardo: */
	uint64_t stalled_after_msec;	/* backlog without progress; default 20 s */
	uint64_t checktime_msec;	/* put on syncs that have none; default 15 s */
	uint64_t observe_interval_msec; /* default 1 s */
	unsigned syncrun_keep_rows;	/* per sync; default 1000 */
	bool escalation;		/* against stalls, by itself; default true */
	/* postgres: */
	const char *const *postgres_settings; /* "name=value" passed with -c; NULL-terminated */
	/* log: */
	enum bm_log_format log_format;
	enum bm_log_level log_level;
	/* http: */
	const char *http_listen;     /* "ADDRESS:PORT", ":PORT", "none"; NULL: not given */
	const char *http_token_file; /* NULL: none */
	const char *http_certificate, *http_key; /* both, or NULL: no TLS */
	/* notify: */
	uint64_t notify_settle_msec; /* how long a state lasts before it is told; default 15 s
				      */
	size_t receiver_count;
	const struct bm_config_receiver *receivers;
	/* units: */
	size_t unit_count;
	const struct bm_config_unit *units;
	/* migrations: */
	size_t migration_count;
	const struct bm_config_migration *migrations;
};

/* The configuration of a volume without machine.yaml: every default. */
struct bm_config *bm_config_create_default(void);

/*
 * Parse and check `length` bytes; `name` stands for the file in messages. On
 * failure returns NULL and appends one line an error to `errors`.
 */
struct bm_config *bm_config_parse(
		const char *name, const char *text, size_t length, struct bm_strbuf *errors);

/* Read and parse a file; a file that is not there is an error too. */
struct bm_config *bm_config_load(const char *path, struct bm_strbuf *errors);

/*
 * A rate as migrations[].copy.max_rate has it, "50MB", into bytes a second. False, and
 * what is wrong and what is allowed appended to `problem`.
 */
bool bm_config_read_rate(const char *text, uint64_t *rate, struct bm_strbuf *problem);

void bm_config_destroy(struct bm_config *config); /* NULL is accepted */

/* The effective configuration as YAML (`config show`): defaults marked in comments. */
void bm_config_show(const struct bm_config *config, struct bm_strbuf *out);

/* Every key with type, unit, default, limits and help, for people (`config reference`). */
void bm_config_reference(struct bm_strbuf *out);

/* A commented example file with every key at its default (machine.yaml.example). */
void bm_config_example(struct bm_strbuf *out);

/*
 * ---- pgpass ----
 * Copy `from` (the Secret) to `to` with mode 0600 when the content differs.
 * Problems a person should know of (missing file, rights, malformed lines by
 * number, never their content) are appended to `warnings`, a line each. Returns 1
 * when `to` was replaced, 0 when not (no Secret, or equal), -1 when it could not be.
 */
int bm_pgpass_refresh(const char *from, const char *to, struct bm_strbuf *warnings,
		struct bm_error *err);

#endif
