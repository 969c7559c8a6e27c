/* bucardo - the object that holds the parts together; see bucardo.h. */
#include "bucardo_machine/bucardo.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"

const char *const bm_bucardo_channels[] = {"bucardo_started", "bucardo_stopped",
		"bucardo_mcp_pong", "bucardo_reloaded_mcp", NULL};

void bucardo_event(struct bm_bucardo *bucardo, enum bm_bucardo_event event, const char *format,
		...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	bucardo->event(bucardo->ctx, event, text);
}

static void on_unit_changed(void *ctx, struct bm_unit *unit)
{
	struct bm_bucardo *bucardo = ctx;

	if (bucardo->changed != NULL) {
		bucardo->changed(bucardo->ctx, unit);
	}
}

static void on_unit_timer(void *ctx)
{
	struct bm_bucardo *bucardo = ctx;

	bm_unit_handle(bucardo->unit, BM_UNIT_TIMED_OUT);
}

struct bm_bucardo *bm_bucardo_create(struct bm_loop *loop,
		const struct bm_bucardo_options *options, const struct bm_unit_policy *policy,
		struct bm_conn *conn, void (*changed)(void *ctx, struct bm_unit *unit),
		void (*event)(void *ctx, enum bm_bucardo_event event, const char *text),
		void *ctx)
{
	struct bm_bucardo *bucardo = bm_alloc(sizeof(*bucardo));

	*bucardo = (struct bm_bucardo){
			.loop = loop,
			.slowness = 1,
			.conn = conn,
			.options = *options,
			.changed = changed,
			.event = event,
			.ctx = ctx,
			.piddir = bm_format("%s/bucardo", options->runtime_dir),
			.evaluation = {.can_start = true},
	};
	bucardo->stop_file = bm_format("%s/fullstopbucardo", bucardo->piddir);
	bucardo->reason_file = bm_format("%s/restart.reason.txt", bucardo->piddir);
	bucardo->log_dir = bm_format("%s/log", bucardo->piddir);
	bucardo->piddir_name = bm_format("%s/bucardo", options->socket_dir);
	bucardo->daemon.timer = bm_timer_create(loop, on_unit_timer, bucardo);
	bucardo->daemon.pulse = bm_timer_create(loop, daemon_pulse, bucardo);
	bucardo->unit = bm_unit_create(
			"bucardo", policy, &bucardo_unit_host, on_unit_changed, bucardo);
	return bucardo;
}

void bm_bucardo_close(struct bm_bucardo *bucardo)
{
	if (bucardo == NULL) {
		return;
	}
	installation_cancel(bucardo->installation);
	daemon_close(bucardo);
	children_close(bucardo);
	output_close(bucardo);
	evaluate_close(bucardo);
	declared_finish(bucardo);
	bm_unit_destroy(bucardo->unit);
	free(bucardo->piddir);
	free(bucardo->stop_file);
	free(bucardo->reason_file);
	free(bucardo->log_dir);
	free(bucardo->piddir_name);
	free(bucardo);
}

struct bm_unit *bm_bucardo_unit(struct bm_bucardo *bucardo)
{
	return bucardo->unit;
}

void bm_bucardo_configure(struct bm_bucardo *bucardo, const struct bm_bucardo_options *options)
{
	bucardo->options = *options;
	bucardo->settings.applied_msec = 0;
	bucardo->settings.pruned_msec = 0;
}

void bm_bucardo_notice(struct bm_bucardo *bucardo, const char *text)
{
	if (strcmp(text, "bucardo_started") == 0) {
		daemon_pulse(bucardo);
	} else if (strcmp(text, "bucardo_mcp_pong") == 0) {
		master_answered(bucardo);
	} else if (strcmp(text, "bucardo_reloaded_mcp") == 0) {
		master_reloaded(bucardo);
	} else if (strcmp(text, "bucardo_stopped") == 0) {
		bm_log(BM_LOG_DEBUG, BUCARDO_AREA, NULL, "the master says that it stopped");
	} else {
		listen_receive(bucardo, text);
	}
}

const char bm_bucardo_refusal_hint[] =
		"install Bucardo " BM_BUCARDO_VERSION
		" as Debian has it, or a machine that knows the installed version";

const char *bm_bucardo_refusal(const struct bm_bucardo *bucardo)
{
	return bucardo->daemon.refusal;
}

pid_t bm_bucardo_mcp_pid(const struct bm_bucardo *bucardo)
{
	return bucardo->daemon.pid;
}
