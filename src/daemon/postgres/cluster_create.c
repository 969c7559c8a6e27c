/*
 * Making the control cluster:
 *
 *   1. wait until nothing works in <data>.new any more (a killed machine leaves
 *      initdb's own children behind for a moment), and remove it
 *   2. initdb into <data>.new; it syncs what it wrote, in its own process
 *   3. put our rules of access in (each replaced safely and synced)
 *   4. rename to <data>, sync the parent
 *
 * A crash at any point leaves <data> absent, or whole.
 */
#include "daemon/postgres/cluster.h"

#include <errno.h>
#include <libgen.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bucardo_machine/job.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/supervise.h"

/* It takes some seconds; while it works it may take longer. */
#define INITDB_SILENT_MSEC (2 * 60 * 1000)
#define INITDB_LIMIT_MSEC (30 * 60 * 1000)

/* How often, and how long at most, to look for leftovers of an earlier initdb. */
#define LEFTOVER_RETRY_MSEC 20
#define LEFTOVER_TRIES 250

/*
 * Who may connect is decided by the rights of the socket (0700: this user and
 * root). The map takes any user of the operating system, so that a volume goes on
 * working when the next image calls its user differently.
 */
static const char pg_hba[] =
		"# Written by the bucardo machine: the socket's rights decide who comes in.\n"
		"local all all peer map=machine\n";
static const char pg_ident[] = "# Written by the bucardo machine.\n"
			       "machine /^.*$ postgres\n"
			       "machine /^.*$ bucardo\n"
			       "machine /^(.*)$ \\1\n";

struct bm_cluster_init {
	struct bm_loop *loop;
	char *data_dir, *temporary, *initdb;
	void (*done)(void *ctx, const struct bm_error *err);
	void *ctx;
	struct bm_timer *timer;
	struct bm_job *job;
	unsigned tries;
};

static void release(struct bm_cluster_init *init)
{
	bm_timer_close(init->timer);
	free(init->data_dir);
	free(init->temporary);
	free(init->initdb);
	free(init);
}

static void finish(struct bm_cluster_init *init, const struct bm_error *err)
{
	void (*done)(void *ctx, const struct bm_error *) = init->done;
	void *ctx = init->ctx;

	release(init);
	done(ctx, err);
}

static int configure(const struct bm_cluster_init *init, struct bm_error *err)
{
	const struct {
		const char *name, *text;
		size_t length;
	} files[] = {
			{"pg_hba.conf", pg_hba, sizeof(pg_hba) - 1},
			{"pg_ident.conf", pg_ident, sizeof(pg_ident) - 1},
	};

	for (size_t i = 0; i < BM_COUNT_OF(files); i++) {
		char *path = bm_format("%s/%s", init->temporary, files[i].name);
		int rc = bm_file_replace(path, files[i].text, files[i].length, 0600, err);
		free(path);
		if (rc != 0) {
			return -1;
		}
	}
	return bm_file_rename(init->temporary, init->data_dir, err);
}

/* The line that says what went wrong: initdb's error, or else the last one. */
static const char *last_words(const char *tail, size_t *length)
{
	const char *words = strstr(tail, "initdb: error: ");
	size_t rest = strlen(tail);

	if (words == NULL) {
		while (rest > 0 && tail[rest - 1] == '\n') {
			rest--;
		}
		const char *line_feed = memrchr(tail, '\n', rest);
		words = line_feed != NULL ? line_feed + 1 : tail;
	}
	*length = strcspn(words, "\n");
	return words;
}

static void evaluate_exit(const struct bm_job_result *result, struct bm_error *err)
{
	char text[BM_EXIT_TEXT_SIZE];
	size_t length;
	const char *words = last_words(result->tail, &length);
	/* Killed from outside is nobody's fault to fix; its own result is. */
	enum bm_error_code code = WIFSIGNALED(result->status) ? BM_ERR_TRANSIENT
							      : BM_ERR_PRECONDITION;

	bm_error_set(err, code, "initdb ended with %s: %.*s",
			bm_exit_text(result->status, text), (int)length, words);
}

static void on_initdb_end(void *ctx, const struct bm_job_result *result)
{
	struct bm_cluster_init *init = ctx;
	struct bm_error err = result->error;

	init->job = NULL;
	if (err.code == BM_ERR_NONE && result->status != 0) {
		evaluate_exit(result, &err);
	} else if (err.code == BM_ERR_NONE) {
		configure(init, &err);
	}
	finish(init, err.code == BM_ERR_NONE ? NULL : &err);
}

/* initdb refuses a locale the system does not have; C always exists. */
static const char *locale_argument(void)
{
	locale_t locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);

	if (locale == (locale_t)0) {
		return "--locale=C";
	}
	freelocale(locale);
	return "--locale=C.UTF-8";
}

static void start_initdb(struct bm_cluster_init *init)
{
	const char *const argv[] = {init->initdb, "--pgdata", init->temporary,
			"--username=postgres", "--encoding=UTF8", locale_argument(),
			"--data-checksums", "--wal-segsize=4", "--auth-local=peer",
			"--auth-host=reject", "--no-instructions", NULL};

	init->job = bm_job_start(init->loop, "initdb", argv, NULL, NULL, INITDB_LIMIT_MSEC,
			on_initdb_end, init);
	bm_job_watch(init->job, INITDB_SILENT_MSEC);
}

struct leftovers {
	const char *temporary; /* as in initdb's arguments */
	const char *real;      /* as /proc shows a working directory */
	bool any;
};

static bool kill_leftover(void *ctx, const struct bm_process *process)
{
	struct leftovers *leftovers = ctx;
	bool works_there = strcmp(process->cwd, leftovers->real) == 0 &&
			strstr(process->title, "postgres") != NULL;
	bool is_initdb = strstr(process->title, "/initdb ") != NULL &&
			strstr(process->title, leftovers->temporary) != NULL;

	if (process->uid == geteuid() && (works_there || is_initdb)) {
		leftovers->any = true;
		bm_process_signal(process->pid, process->start_time, SIGKILL, NULL);
	}
	return true;
}

static bool has_leftovers(const char *temporary)
{
	char *real = realpath(temporary, NULL);
	struct leftovers leftovers = {.temporary = temporary, .real = real};

	if (real != NULL) {
		bm_process_each(kill_leftover, &leftovers);
	}
	free(real);
	return leftovers.any;
}

static int check_ground(const struct bm_cluster_init *init, struct bm_error *err)
{
	struct bm_strbuf why = BM_STRBUF_INIT;
	enum bm_cluster_found found = bm_cluster_inspect(init->data_dir, 0, &why);
	const char *reason = found == BM_CLUSTER_FOREIGN ? "it holds data"
							 : bm_strbuf_text(&why);
	int rc = 0;

	if (getpwuid(geteuid()) == NULL) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"the user id %u has no entry in /etc/passwd, which PostgreSQL "
				"needs: run the machine as a user that exists in the image",
				geteuid());
	} else if (found != BM_CLUSTER_ABSENT && found != BM_CLUSTER_INTERRUPTED) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"will not make a cluster over '%s': %s", init->data_dir,
				reason);
	}
	bm_strbuf_finish(&why);
	return rc;
}

static int clear_ground(const struct bm_cluster_init *init, struct bm_error *err)
{
	char *copy = bm_strdup(init->data_dir);
	int rc = bm_file_make_folders(dirname(copy), 0700, err);

	free(copy);
	return rc == 0 ? bm_file_remove_tree(init->temporary, err) : -1;
}

static void on_timer(void *ctx)
{
	struct bm_cluster_init *init = ctx;
	struct bm_error err = BM_ERROR_INIT;

	if (check_ground(init, &err) != 0) {
		finish(init, &err);
	} else if (has_leftovers(init->temporary) && init->tries++ < LEFTOVER_TRIES) {
		bm_timer_arm(init->timer, LEFTOVER_RETRY_MSEC);
	} else if (clear_ground(init, &err) != 0) {
		finish(init, &err);
	} else {
		start_initdb(init);
	}
}

struct bm_cluster_init *bm_cluster_create(struct bm_loop *loop,
		const struct bm_cluster_paths *paths,
		void (*done)(void *ctx, const struct bm_error *err), void *ctx)
{
	struct bm_cluster_init *init = bm_alloc(sizeof(*init));

	init->loop = loop;
	init->data_dir = bm_strdup(paths->data_dir);
	init->temporary = bm_cluster_temporary(paths->data_dir);
	init->initdb = bm_format("%s/initdb", paths->bin_dir);
	init->done = done;
	init->ctx = ctx;
	init->timer = bm_timer_create(loop, on_timer, init);
	bm_timer_arm(init->timer, 0);
	return init;
}

void bm_cluster_create_cancel(struct bm_cluster_init *init)
{
	if (init != NULL) {
		bm_job_cancel(init->job);
		release(init);
	}
}
