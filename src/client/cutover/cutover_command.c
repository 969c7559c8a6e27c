/*
 * The commands `cutover` and `failback`: ask whether all is ready, or let the machine do it or
 * rehearse it, and watch. What the machine was asked outlives this command.
 */
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/phase_host.h"
#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

#define WATCH_MSEC 100

/* A machine that is started again meanwhile answers by then. */
#define AWAY_LIMIT_MSEC 60000

struct change {
	const struct cli_call *call;
	const char *name, *direction;
	json_t *evidence; /* of the check, or of the attempt */
	char shown[160];  /* the step that was printed last */
	struct bm_strbuf why;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

static int complain(const struct change *change, const struct bm_error *err)
{
	fprintf(stderr, "bucardo-machine: %s: %s\n", change->direction, err->message);
	return CLI_FAILED;
}

static void print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	puts(text != NULL ? text : "{}");
	fflush(stdout);
	free(text);
	json_decref(object);
}

static json_t *request_of(const struct change *change, const char *mode)
{
	json_t *request = json_pack("{s:s, s:s, s:s, s:s}", "command", "cutover", "direction",
			change->direction, "mode", mode, "migration", change->name);
	json_t *accept = json_array();

	for (size_t i = 0; change->call->accept[i] != NULL; i++) {
		json_array_append_new(accept, json_string(change->call->accept[i]));
	}
	json_object_set_new(request, "accept", accept);
	if (change->call->budget_msec > 0) {
		json_object_set_new(request, "budget_msec",
				json_integer(change->call->budget_msec));
	}
	return request;
}

/* ---- the result ---- */

static int write_report(const struct change *change)
{
	struct bm_error err = BM_ERROR_INIT;
	const char *path = change->call->report;

	if (path == NULL) {
		return 0;
	}
	char *text = json_dumps(change->evidence, JSON_INDENT(2));
	int rc = bm_file_replace(path, text, strlen(text), 0644, &err);
	free(text);
	return rc == 0 ? 0 : complain(change, &err);
}

static int exit_code(const char *result)
{
	bool good = strcmp(result, "ready") == 0 || strcmp(result, "rehearsed") == 0 ||
			strcmp(result, "done") == 0;

	return good ? CLI_OK : CLI_UNCHANGED;
}

static int print_result(const struct change *change, const char *error, const char *hint)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	if (change->call->json) {
		print_json(json_pack("{s:s, s:O, s:s, s:s}", "event", "result", "result",
				change->evidence, "error", error, "hint", hint));
	} else {
		cli_render_cutover(change->evidence, cli_wants_colour(), &out);
		fputs(bm_strbuf_text(&out), stdout);
		bm_strbuf_clear(&out);
		cli_render_cutover_result(change->name, change->evidence, error, hint, &out);
		fputs(bm_strbuf_text(&out), stdout);
	}
	bm_strbuf_finish(&out);
	return write_report(change) == 0 ? exit_code(cli_text_of(change->evidence, "result"))
					 : CLI_FAILED;
}

/* ---- is all ready? ---- */

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct change *change = ctx;

	if (line->event == BM_PHASE_EVENT_DONE) {
		json_decref(change->evidence);
		change->evidence = json_deep_copy(line->evidence);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		bm_strbuf_printf(&change->why, "%s%s%s", line->message,
				line->hint[0] != '\0' ? "; " : "", line->hint);
	}
}

static int check(struct change *change, struct bm_error *err)
{
	json_t *answer = cli_client_call(change->call->runtime, CLI_TIMEOUT_MSEC,
			request_of(change, "check"), err);

	if (answer == NULL) {
		return -1;
	}
	char *request = json_dumps(json_object_get(answer, "request"), JSON_COMPACT);
	json_decref(answer);
	int rc = cli_ask_worker(change->call, request, on_line, change, &change->why, err);
	free(request);
	if (rc != 0) {
		return -1;
	}
	if (change->evidence == NULL) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "%s", bm_strbuf_text(&change->why));
	}
	return print_result(change, "", "");
}

/* ---- an attempt, and watching it ---- */

static json_t *read_migration(const struct change *change)
{
	struct bm_error ignored = BM_ERROR_INIT;
	json_t *answer = cli_client_call(change->call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &ignored);
	const json_t *migrations = json_object_get(
			json_object_get(answer, "status"), "migrations");
	json_t *migration = json_incref(
			(json_t *)(uintptr_t)cli_text_named(migrations, change->name));

	json_decref(answer);
	return migration;
}

/* What it does now, or why it waits; each once. */
static void show_step(struct change *change, const json_t *migration)
{
	const char *text = cli_text_of(json_object_get(migration, "progress"), "text");
	const char *why = cli_text_of(migration, "why");

	text = why[0] != '\0' ? why : text;
	if (text[0] == '\0' || strncmp(change->shown, text, sizeof(change->shown) - 1) == 0) {
		return;
	}
	snprintf(change->shown, sizeof(change->shown), "%s", text);
	if (change->call->json) {
		print_json(json_pack("{s:s, s:s}", "event", "step", "text", text));
	} else {
		struct bm_strbuf out = BM_STRBUF_INIT;
		bm_strbuf_puts(&out, "  ");
		cli_text_wrapped(text, 2, 2, &out);
		fputs(bm_strbuf_text(&out), stdout);
		fflush(stdout);
		bm_strbuf_finish(&out);
	}
}

/* 1: the attempt is over, and `migration` says how. */
static bool is_over(const json_t *migration, json_int_t number)
{
	const json_t *cutover = json_object_get(migration, "cutover");

	return json_integer_value(json_object_get(cutover, "number")) >= number &&
			!json_is_true(json_object_get(cutover, "under_way")) &&
			json_is_true(json_object_get(migration, "recorded"));
}

static int left_alone(const struct change *change, json_int_t number, struct bm_error *err)
{
	return bm_error_set(err, BM_ERR_TIMEOUT,
			"%s number %lld goes on in the machine, and is no more watched here; "
			"`bucardo-machine status` shows how far it is and how it ended",
			change->direction, (long long)number);
}

/* The migration when the attempt is over; NULL with `err`. */
static json_t *watch(struct change *change, json_int_t number, struct bm_error *err)
{
	uint64_t answered_msec = bm_clock_msec();

	for (;;) {
		json_t *migration = read_migration(change);
		if (migration != NULL) {
			answered_msec = bm_clock_msec();
			if (is_over(migration, number)) {
				return migration;
			}
			show_step(change, migration);
			json_decref(migration);
		}
		if (interrupted || bm_clock_msec() - answered_msec > AWAY_LIMIT_MSEC) {
			left_alone(change, number, err);
			return NULL;
		}
		poll(NULL, 0, WATCH_MSEC);
	}
}

static int report(struct change *change, const json_t *migration)
{
	const json_t *cutover = json_object_get(migration, "cutover");
	json_t *result = json_object_get(cutover, "result");

	change->evidence = json_is_object(result) ? json_incref(result)
						  : json_pack("{s:s}", "result", "aborted");
	return print_result(
			change, cli_text_of(cutover, "error"), cli_text_of(cutover, "hint"));
}

static bool is_agreed(const struct change *change)
{
	const struct cli_call *call = change->call;

	if (call->rehearse || call->yes) {
		return true;
	}
	if (!call->json) {
		printf("%s: the %s becomes the live side, and the %s takes no more writes of "
		       "applications.\n",
				change->name,
				strcmp(change->direction, "cutover") == 0 ? "destination"
									  : "source",
				strcmp(change->direction, "cutover") == 0 ? "source"
									  : "destination");
	}
	return cli_confirm(call, "nothing was changed");
}

static int attempt(struct change *change, struct bm_error *err)
{
	const struct sigaction action = {.sa_handler = on_interrupt};

	if (!is_agreed(change)) {
		return CLI_FAILED;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	json_t *answer = cli_client_call(change->call->runtime, CLI_TIMEOUT_MSEC,
			request_of(change, change->call->rehearse ? "rehearse" : "run"), err);
	if (answer == NULL) {
		return -1;
	}
	json_int_t number = json_integer_value(json_object_get(answer, "number"));
	json_decref(answer);
	json_t *migration = watch(change, number, err);
	int rc = migration != NULL ? report(change, migration) : -1;
	json_decref(migration);
	return rc;
}

int cli_cutover(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct change change = {
			.call = call, .name = call->words[0], .direction = call->command->name};

	if (call->check && call->rehearse) {
		fprintf(stderr, "bucardo-machine: %s: --check and --rehearse are two things\n",
				change.direction);
		return CLI_USAGE;
	}
	cli_text_set_columns(cli_screen_size().ws_col);
	int rc = call->check ? check(&change, &err) : attempt(&change, &err);
	json_decref(change.evidence);
	bm_strbuf_finish(&change.why);
	return rc < 0 ? complain(&change, &err) : rc;
}
