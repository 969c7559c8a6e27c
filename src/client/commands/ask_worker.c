/* A worker that a command runs by itself, beside whatever the machine does. */
#include <signal.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/phase_host.h"
#include "client/cli/command.h"

struct asked {
	struct bm_loop *loop;
	struct bm_strbuf *why;
	void (*receive)(void *ctx, const struct bm_phase_line *line);
	void *ctx;
};

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct asked *asked = ctx;

	asked->receive(asked->ctx, line);
}

static void on_end(void *ctx, const char *how)
{
	struct asked *asked = ctx;

	if (how != NULL) {
		bm_strbuf_puts(asked->why, how);
	}
	bm_loop_stop(asked->loop);
}

static void on_signal(void *ctx, int signo)
{
	struct asked *asked = ctx;

	if (signo == SIGINT || signo == SIGTERM || signo == SIGHUP) {
		bm_strbuf_puts(asked->why, "interrupted");
		bm_loop_stop(asked->loop);
	}
}

int cli_ask_worker(const struct cli_call *call, const char *request,
		void (*receive)(void *ctx, const struct bm_phase_line *line), void *ctx,
		struct bm_strbuf *why, struct bm_error *err)
{
	struct asked asked = {.why = why, .receive = receive, .ctx = ctx};
	char *pgpass = bm_format("%s/pgpass", call->runtime);
	const struct bm_phase_options options = {.program = "/proc/self/exe",
			.worker = "phase",
			.pgpass = pgpass,
			.subject = call->command->name};
	struct bm_phase_host *host = NULL;

	if (bm_event_begin(err) == 0 && (asked.loop = bm_loop_create(err)) != NULL) {
		bm_loop_on_signal(asked.loop, on_signal, &asked);
		host = bm_phase_host_start(
				asked.loop, &options, request, on_line, on_end, &asked, err);
	}
	if (host != NULL) {
		bm_loop_run(asked.loop);
	}
	bm_phase_host_close(host);
	bm_loop_destroy(asked.loop);
	free(pgpass);
	return host != NULL ? 0 : -1;
}
