/*
 * install - Bucardo in the control cluster, complete or not at all
 *
 *   1. folders, .bucardorc, the log pipe
 *   2. role bucardo, without a password: it is reached by peer authentication
 *   3. look: no database, a complete one, or what an interrupted install left
 *      (bucardo.schema is one transaction behind CREATE DATABASE: either
 *      bucardo_config exists, or nothing does)
 *   4. where needed: drop the empty shell, `bucardo install --batch`
 *   5. the machine's own check of that database, which may refuse it
 *   6. the rows of bucardo_config that depend on where we run
 *
 * Every step may be repeated; a database with anything in it is never dropped.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/bucardo/internal.h"
#include "daemon/bucardo/launch.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/job.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"

/* It takes a second, or some; what it waits for in between is a statement of the control
 * database, each a short one. */
#define INSTALL_SILENT_MSEC (2 * 60 * 1000)
#define INSTALL_LIMIT_MSEC (30 * 60 * 1000)
#define CONNECT_ATTEMPTS 20

struct installation {
	struct bm_bucardo *bucardo;
	struct bm_conn *admin; /* borrowed: database postgres */
	struct bm_conn *inner; /* ours: database bucardo, while we look and set */
	const struct bm_step *check;
	size_t check_count;
	struct bm_script *script;
	struct bm_job *job;
	void (*done)(void *ctx, const struct bm_error *err);
	void *ctx;
	unsigned failed_attempts;
	bool database_exists, complete, installed_now;
};

static void finish(struct installation *i, const struct bm_error *err)
{
	void (*done)(void *ctx, const struct bm_error *err) = i->done;
	void *ctx = i->ctx;

	i->bucardo->installation = NULL;
	installation_cancel(i);
	done(ctx, err);
}

void installation_cancel(struct installation *i)
{
	if (i == NULL) {
		return;
	}
	bm_job_cancel(i->job);
	if (i->script != NULL) {
		bm_script_cancel(i->script);
	}
	bm_conn_destroy(i->inner);
	free(i);
}

/* ---- 1: files ---- */

static int write_rc(const struct bm_bucardo *bucardo, struct bm_error *err)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	char *path = bm_format("%s/.bucardorc", bucardo->options.home_dir);

	/* No piddir here: with it `bucardo stop` writes its reason into the caller's
	 * folder, and dies where that is read-only. */
	bm_strbuf_printf(&text,
			"# Written by bucardo-machine at each start.\n"
			"dbhost = %s\ndbname = bucardo\ndbuser = bucardo\n"
			"# log.bucardo in this folder is a pipe into the machine's log\n"
			"logdest = %s/log\n",
			bucardo->options.socket_dir, bucardo->piddir_name);
	int rc = bm_file_replace(path, bm_strbuf_text(&text), text.length, 0600, err);
	bm_strbuf_finish(&text);
	free(path);
	return rc;
}

static int prepare_files(struct bm_bucardo *bucardo, struct bm_error *err)
{
	if (bm_file_make_folders(bucardo->options.home_dir, 0700, err) != 0 ||
			bm_file_make_folders(bucardo->log_dir, 0700, err) != 0 ||
			write_rc(bucardo, err) != 0 || output_open_fifo(bucardo, err) != 0 ||
			children_open(bucardo, err) != 0) {
		return -1;
	}
	return 0;
}

/* ---- 5 and 6: settings ---- */

/* Where things are; always ours. */
static bool build_places(void *ctx, struct bm_strbuf *sql)
{
	const struct installation *i = ctx;
	const char *dir = i->bucardo->piddir_name;
	const char *names[] = {"piddir", "reason_file", "warning_file", "log_conflict_file"};
	const char *files[] = {"", "/restart.reason.txt", "/warning.log", "/conflict.log"};

	for (size_t n = 0; n < BM_COUNT_OF(names); n++) {
		char *value = bm_format("%s%s", dir, files[n]);
		bm_strbuf_puts(sql, "UPDATE bucardo.bucardo_config SET setting = ");
		bm_quote_literal(sql, value);
		bm_strbuf_puts(sql, " WHERE item IS NULL AND name = ");
		bm_quote_literal(sql, names[n]);
		bm_strbuf_puts(sql, " AND setting <> ");
		bm_quote_literal(sql, value);
		bm_strbuf_puts(sql, "; ");
		free(value);
	}
	return true;
}

/*
 * How Bucardo behaves. A value that a person changed from Bucardo's default stays,
 * but for the first: with mcp_dbproblem_sleep the master leaves a lost database
 * under a new pid, behind our back.
 */
static const char tuning_sql[] =
		"UPDATE bucardo.bucardo_config c SET setting = t.value FROM (VALUES"
		" ('mcp_dbproblem_sleep', '0', true),"
		" ('stopfile', 'fullstopbucardo', true),"
		/* how soon a dead KID and a dead VAC are replaced */
		" ('ctl_checkonkids_time', '2', false),"
		" ('kid_restart_sleep', '0.3', false),"
		" ('ctl_createkid_time', '0.2', false),"
		" ('mcp_vactime', '10', false),"
		/* how soon the master notices that a connection is gone */
		" ('mcp_pingtime', '15', false),"
		" ('log_showtime', '1', false)"
		") AS t(name, value, always)"
		" WHERE c.name = t.name AND c.item IS NULL AND c.setting <> t.value"
		" AND (t.always OR c.setting = c.defval)";

/* clang-format off */
static const char short_log_sql[] =
#include "daemon/bucardo/sql/short_log.sql.inc"
;
static const char keep_requests_sql[] =
#include "daemon/bucardo/sql/keep_requests.sql.inc"
;
/* clang-format on */

static int check_version(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	const char *version = result->row_count > 0 ? bm_result_get(result, 0, 0) : NULL;

	(void)ctx;
	if (version == NULL) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"database 'bucardo' has no bucardo_version: it was not made by "
				"`bucardo install`");
	}
	if (strcmp(version, BM_BUCARDO_VERSION) != 0) {
		bm_log(BM_LOG_WARN, BUCARDO_AREA,
				BM_FIELDS(bm_str("from", version),
						bm_str("to", BM_BUCARDO_VERSION)),
				"the schema's version is not the one this program was tested "
				"with; `bucardo upgrade` brings it to that of the program");
	}
	return 0;
}

static const struct bm_step settings_steps[] = {
		{.name = "reading Bucardo's version",
				.sql = "SELECT setting FROM bucardo.bucardo_config"
				       " WHERE name = 'bucardo_version'",
				.on_result = check_version},
		{.name = "setting Bucardo's files", .build = build_places},
		{.name = "setting Bucardo's timers", .sql = tuning_sql},
		{.name = "keeping the server's log short", .sql = short_log_sql},
		{.name = "keeping to what was requested", .sql = keep_requests_sql},
		/* A run that was cut off by a crash would look open for ever. */
		{.name = "closing runs of an earlier life",
				.sql = "UPDATE bucardo.syncrun SET ended = now(),"
				       " status = 'Old entry ended (bucardo-machine start)'"
				       " WHERE ended IS NULL; DELETE FROM bucardo.dbrun"},
};

static void on_settings(void *ctx, const struct bm_error *err)
{
	struct installation *i = ctx;

	i->script = NULL;
	finish(i, err);
}

static void on_checked(void *ctx, const struct bm_error *err)
{
	struct installation *i = ctx;

	i->script = NULL;
	if (err != NULL) {
		finish(i, err);
		return;
	}
	i->script = bm_script_run(
			i->inner, settings_steps, BM_COUNT_OF(settings_steps), i, on_settings);
}

/* ---- 3 and 4 ---- */

static void look(struct installation *i);

static void on_installed(void *ctx, const struct bm_job_result *result)
{
	struct installation *i = ctx;
	struct bm_error err = result->error;
	char text[BM_EXIT_TEXT_SIZE];

	i->job = NULL;
	if (err.code == BM_ERR_NONE && result->status == 0) {
		i->installed_now = true;
		look(i);
		return;
	}
	if (err.code == BM_ERR_NONE) {
		bm_error_set(&err, BM_ERR_PRECONDITION, "'bucardo install' ended with %s: %s",
				bm_exit_text(result->status, text), result->tail);
	}
	finish(i, &err);
}

static void run_install(struct installation *i)
{
	struct bm_bucardo *b = i->bucardo;
	const char *argv[] = {"bucardo", "--dbuser=postgres", "--dbname=postgres", NULL, NULL,
			"--batch", "--quiet", "install", NULL};
	char *host = bm_format("--dbhost=%s", b->options.socket_dir);
	char *piddir = bm_format("--piddir=%s", b->piddir_name);
	struct launch_env env;

	argv[3] = host;
	argv[4] = piddir;
	launch_env_init(&env, &b->options);
	/* bucardo.schema makes what exists already and goes on: an ERROR in the server's
	 * log that frightens for nothing. The installer itself still hears it. */
	env.texts[BM_COUNT_OF(env.texts) - 1] = bm_format(
			"PGOPTIONS=-c log_min_messages=fatal");
	env.list[BM_COUNT_OF(env.texts) - 1] = env.texts[BM_COUNT_OF(env.texts) - 1];
	i->job = bm_job_start(b->loop, "bucardo install", argv, env.list, b->piddir,
			INSTALL_LIMIT_MSEC, on_installed, i);
	bm_job_watch(i->job, INSTALL_SILENT_MSEC);
	launch_env_finish(&env);
	free(host);
	free(piddir);
}

static void on_dropped(void *ctx, const struct bm_result *result)
{
	struct installation *i = ctx;

	if (result->error != NULL) {
		finish(i, result->error);
		return;
	}
	run_install(i);
}

static void on_looked(void *ctx, const struct bm_result *result)
{
	struct installation *i = ctx;
	struct bm_error err = BM_ERROR_INIT;

	if (result->error != NULL) {
		finish(i, result->error);
		return;
	}
	if (strcmp(bm_result_get(result, 0, 0), "t") == 0) {
		i->script = bm_script_run(i->inner, i->check, i->check_count, i, on_checked);
		return;
	}
	if (i->installed_now || strcmp(bm_result_get(result, 0, 1), "0") != 0) {
		bm_error_set(&err, BM_ERR_PRECONDITION,
				"database 'bucardo' holds %s tables but no Bucardo; look at it, "
				"and rename or drop it: it is installed anew then",
				bm_result_get(result, 0, 1));
		finish(i, &err);
		return;
	}
	bm_log(BM_LOG_WARN, BUCARDO_AREA, NULL,
			"an earlier installation of Bucardo was cut off; doing it again");
	bm_conn_destroy(i->inner);
	i->inner = NULL;
	bm_conn_query(i->admin, "DROP DATABASE bucardo WITH (FORCE)", NULL, 0, on_dropped, i);
}

static void on_inner(void *ctx, enum bm_conn_event event, const char *text)
{
	struct installation *i = ctx;
	struct bm_error err = BM_ERROR_INIT;

	if (event == BM_CONN_UP) {
		bm_conn_query(i->inner,
				"SELECT to_regclass('bucardo.bucardo_config') IS NOT NULL,"
				" (SELECT count(*) FROM pg_class c JOIN pg_namespace n"
				"   ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m')"
				"   AND n.nspname NOT IN ('pg_catalog','information_schema','machine')"
				"   AND n.nspname NOT LIKE 'pg_toast%')",
				NULL, 0, on_looked, i);
	} else if (event == BM_CONN_DOWN && ++i->failed_attempts >= CONNECT_ATTEMPTS) {
		bm_error_set(&err, BM_ERR_TRANSIENT, "cannot connect to database 'bucardo': %s",
				text);
		finish(i, &err);
	}
}

static void look(struct installation *i)
{
	const struct bm_conn_options options = {
			.socket_dir = i->bucardo->options.socket_dir,
			.dbname = "bucardo",
			.user = "postgres",
			.application_name = "bucardo-machine install",
			.connect_timeout_msec = 10000,
			.retry_msec = 500,
			.query_timeout_msec = 60000,
	};

	i->inner = bm_conn_create(i->bucardo->loop, &options, on_inner, i);
	bm_conn_open(i->inner);
}

/* ---- 2 ---- */

static int record_database(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	struct installation *i = ctx;

	(void)err;
	i->database_exists = result->row_count > 0;
	return 0;
}

static const struct bm_step first_steps[] = {
		{.name = "making the role bucardo",
				.sql = "DO $$BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE"
				       " rolname = 'bucardo') THEN CREATE ROLE bucardo SUPERUSER"
				       " LOGIN; END IF; END$$"},
		{.name = "looking for the database bucardo",
				.sql = "SELECT 1 FROM pg_database WHERE datname = 'bucardo'",
				.on_result = record_database},
};

static void on_first(void *ctx, const struct bm_error *err)
{
	struct installation *i = ctx;

	i->script = NULL;
	if (err != NULL) {
		finish(i, err);
	} else if (i->database_exists) {
		look(i);
	} else {
		run_install(i);
	}
}

/* Failing before anything was started: the callback still comes from the loop. */
struct early_failure {
	void (*done)(void *ctx, const struct bm_error *err);
	void *ctx;
	struct bm_error err;
};

static void report_early(void *ctx)
{
	struct early_failure *failure = ctx;

	failure->done(failure->ctx, &failure->err);
	free(failure);
}

void bm_bucardo_install(struct bm_bucardo *bucardo, struct bm_conn *admin,
		const struct bm_step *check, size_t check_count,
		void (*done)(void *ctx, const struct bm_error *err), void *ctx)
{
	struct bm_error err = BM_ERROR_INIT;

	if (prepare_files(bucardo, &err) != 0) {
		struct early_failure *failure = bm_alloc(sizeof(*failure));
		*failure = (struct early_failure){done, ctx, err};
		bm_loop_defer(bucardo->loop, report_early, failure);
		return;
	}
	installation_cancel(bucardo->installation);
	struct installation *i = bm_alloc(sizeof(*i));
	*i = (struct installation){.bucardo = bucardo,
			.admin = admin,
			.check = check,
			.check_count = check_count,
			.done = done,
			.ctx = ctx};
	bucardo->installation = i;
	i->script = bm_script_run(admin, first_steps, BM_COUNT_OF(first_steps), i, on_first);
}
