/*
 * The role `run`: the daemon. Puts the loop, the machine and the control socket
 * together, tells the machine what signals mean, takes everything apart in order.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/control.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/machine.h"
#include "bucardo_machine/postgres.h"
#include "bucardo_machine/supervise.h"
#include "client/cli/command.h"

/* How often the control socket is tried again while it cannot be opened. */
#define CONTROL_RETRY_MSEC 2000

struct run {
	struct bm_loop *loop;
	struct bm_machine *machine;
	struct bm_control *control;
	struct bm_timer *retry;
	char *volume, *runtime, *pgpass;
	struct bm_error logged; /* the reason the log has already */
};

/* Children work in other folders than we do. */
static char *absolute(const char *path)
{
	char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
	char *out = here == NULL ? bm_strdup(path)
				 : bm_format("%s/%s", strcmp(here, "/") == 0 ? "" : here, path);

	free(here);
	return out;
}

/*
 * A machine without its socket still replicates, but nobody can ask it and probes
 * say no: so it is tried again for ever, and the log has each new reason once.
 */
static void open_control(void *ctx)
{
	struct run *run = ctx;
	struct bm_error err = BM_ERROR_INIT;
	char *path = bm_format("%s/control.sock", run->runtime);

	if (bm_file_make_folders(run->runtime, 0700, &err) == 0) {
		run->control = bm_control_open(run->loop, path, run->machine, &err);
	}
	if (run->control == NULL) {
		if (strcmp(run->logged.message, err.message) != 0) {
			bm_log(BM_LOG_ERROR, "control", BM_FIELDS(bm_str("err", err.message)),
					"nobody can ask the machine: its control socket cannot be "
					"opened; trying again. Folder '%s' must be writable for user %u",
					run->runtime, (unsigned)geteuid());
			run->logged = err;
		}
		bm_timer_arm(run->retry, CONTROL_RETRY_MSEC);
	}
	free(path);
}

static void reload(struct run *run)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;

	/* The machine tells the log and its events how that went. */
	bm_machine_reload(run->machine, &errors);
	bm_strbuf_finish(&errors);
}

static void on_signal(void *ctx, int signo)
{
	struct run *run = ctx;
	char why[64];

	switch (signo) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		snprintf(why, sizeof(why), "asked to by SIG%s", sigabbrev_np(signo));
		bm_machine_stop(run->machine, why);
		break;
	case SIGHUP:
		reload(run);
		break;
	default: /* USR1 and USR2 mean nothing, and must not end us */
		break;
	}
}

static int run_machine(struct run *run, const struct cli_call *call)
{
	struct bm_machine_options options = {
			.volume = run->volume,
			.runtime = run->runtime,
			.pgpass = run->pgpass,
			.http_listen = getenv("BUCARDO_MACHINE_HTTP"),
			.strict = call->strict,
			.keep_log_format = call->log_format_given,
			.keep_log_level = call->log_level_given,
	};

	run->machine = bm_machine_create(run->loop, &options);
	run->retry = bm_timer_create(run->loop, open_control, run);
	open_control(run);
	bm_loop_on_signal(run->loop, on_signal, run);
	bm_machine_start(run->machine);
	bm_loop_run(run->loop);
	int rc = bm_machine_exit_code(run->machine);
	bm_control_close(run->control);
	bm_timer_close(run->retry);
	bm_machine_destroy(run->machine);
	return rc;
}

static int run_daemon(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct run run = {.volume = absolute(call->volume),
			.runtime = absolute(call->runtime),
			.pgpass = absolute(call->pgpass)};
	int rc = CLI_FAILED;

	if (bm_event_begin(&err) == 0) {
		bm_postgres_load();
		bm_log_open(STDOUT_FILENO, call->log_format, false);
		bm_log_set_level(call->log_level);
		run.loop = bm_loop_create(&err);
	}
	if (run.loop == NULL) {
		bm_log(BM_LOG_ERROR, "machine", BM_FIELDS(bm_str("err", err.message)),
				"cannot start");
	} else {
		rc = run_machine(&run, call);
		bm_loop_destroy(run.loop);
	}
	bm_log_flush();
	free(run.volume);
	free(run.runtime);
	free(run.pgpass);
	return rc;
}

int cli_run(const struct cli_call *call)
{
	/* Both begin with bm_event_begin(): until then nothing but argv was looked at. */
	return call->child != NULL
			? bm_single_run(&call->single, (char **)(uintptr_t)call->child)
			: run_daemon(call);
}
