/* The commands about declared migrations: migrate, pause, resume, plan. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/migrate.h"
#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

#define RECORDED_LOOK_MSEC 20

static int complain(const struct bm_error *err)
{
	fprintf(stderr, "bucardo-machine: %s\n", err->message);
	return CLI_FAILED;
}

/* ---- requests ---- */

/* 1: the journal has the last request, 0: not yet, -1: nobody knows. */
static int is_recorded(const struct cli_call *call, struct bm_error *err)
{
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), err);
	const json_t *status = json_object_get(answer, "status");
	const json_t *migration = cli_text_named(
			json_object_get(status, "migrations"), call->words[0]);
	int recorded = json_is_true(json_object_get(migration, "recorded"));

	json_decref(answer);
	return answer != NULL ? recorded : -1;
}

/* What was answered before the journal has it would be lost with the machine. */
static int wait_recorded(const struct cli_call *call, struct bm_error *err)
{
	uint64_t deadline = bm_clock_msec() + CLI_TIMEOUT_MSEC;
	int recorded;

	while ((recorded = is_recorded(call, err)) == 0 && bm_clock_msec() < deadline) {
		poll(NULL, 0, RECORDED_LOOK_MSEC);
	}
	if (recorded < 0) {
		return bm_error_wrap(
				err, "the request was taken, but may be lost: give it again");
	}
	if (recorded == 0) {
		return bm_error_set(err, BM_ERR_TIMEOUT,
				"the request is in force, but is not in the journal yet after %d s: a "
				"machine that is killed now forgets it. `bucardo-machine status` shows "
				"what ails the control database; this migration has \"recorded\": true "
				"in `status --json` as soon as it is safe",
				CLI_TIMEOUT_MSEC / 1000);
	}
	return 0;
}

static int send_request(const struct cli_call *call, json_t *request, const char *done)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC, request, &err);
	bool taken = answer != NULL;

	json_decref(answer);
	if (!taken || wait_recorded(call, &err) != 0) {
		return complain(&err);
	}
	printf("%s %s; `bucardo-machine status` shows how far it is\n", call->words[0], done);
	return CLI_OK;
}

int cli_migrate(const struct cli_call *call)
{
	const char *until = call->until != NULL ? call->until
						: bm_phase_name(BM_PHASE_COUNT - 1);

	return send_request(call,
			json_pack("{s:s, s:s, s:s}", "command", "migrate", "migration",
					call->words[0], "until", until),
			"goes on");
}

int cli_pause(const struct cli_call *call)
{
	return send_request(call,
			json_pack("{s:s, s:s}", "command", "pause", "migration",
					call->words[0]),
			"is paused and stays so until `resume`");
}

int cli_resume(const struct cli_call *call)
{
	return send_request(call,
			json_pack("{s:s, s:s}", "command", "resume", "migration",
					call->words[0]),
			"goes on");
}

/* ---- plan: a preflight of our own, beside whatever the machine does ---- */

struct look {
	const struct cli_call *call;
	size_t safe_count;
	json_t *findings; /* not shown yet; NULL none */
	int rc;
	struct bm_strbuf why; /* it could not look to the end */
};

static void print_json(const struct bm_phase_line *line)
{
	json_t *object = NULL;

	if (line->event == BM_PHASE_EVENT_FINDING) {
		object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "event", "finding",
				"severity", bm_severity_name(line->severity), "object",
				line->object, "why", line->why, "hint", line->hint, "safe",
				line->safe);
	} else if (line->event == BM_PHASE_EVENT_DONE) {
		object = json_pack("{s:s, s:O}", "event", "done", "evidence", line->evidence);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		object = json_pack("{s:s, s:s, s:s, s:s}", "event", "failed", "class",
				bm_failure_name(line->failure), "message", line->message,
				"hint", line->hint);
	} else if (line->event == BM_PHASE_EVENT_NOTE) {
		object = json_pack("{s:s, s:s}", "event", "note", "text", line->text);
	} else if (line->event == BM_PHASE_EVENT_PLAN) {
		object = json_pack("{s:s, s:O}", "event", "plan", "plan", line->evidence);
	}
	if (object != NULL) {
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	}
}

/* All at once, because equal ones are one paragraph. */
static void add_findings(struct look *look, struct bm_strbuf *out)
{
	if (json_array_size(look->findings) > 0) {
		bm_strbuf_puts(out, "\nWhat was found:\n");
		cli_render_findings(look->findings, out);
	}
	json_decref(look->findings);
	look->findings = NULL;
}

static void keep_finding(struct look *look, const struct bm_phase_line *line)
{
	if (look->findings == NULL) {
		look->findings = json_array();
	}
	json_array_append_new(look->findings,
			json_pack("{s:s, s:s, s:s, s:s}", "severity",
					bm_severity_name(line->severity), "object",
					line->object, "why", line->why, "hint", line->hint));
	look->safe_count += line->safe;
}

static void print_text(struct look *look, const struct bm_phase_line *line)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	if (line->event == BM_PHASE_EVENT_FINDING) {
		keep_finding(look, line);
	} else if (line->event == BM_PHASE_EVENT_DONE) {
		add_findings(look, &out);
		bm_strbuf_puts(&out, "\nNothing is in the way.\n");
		cli_render_evidence(line->evidence, &out);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		add_findings(look, &out);
		bm_strbuf_puts(&out, "\nSomething is in the way: ");
		cli_text_wrapped(line->message, 25, 2, &out);
		cli_text_wrapped(line->hint, 0, 2, &out);
	} else if (line->event == BM_PHASE_EVENT_NOTE) {
		cli_text_wrapped(line->text, 0, 2, &out);
	} else if (line->event == BM_PHASE_EVENT_PLAN) {
		add_findings(look, &out);
		cli_render_outlook(line->evidence, &out);
	}
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
}

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct look *look = ctx;

	if (look->call->json) {
		print_json(line);
	} else {
		print_text(look, line);
	}
	fflush(stdout);
	if (line->event == BM_PHASE_EVENT_DONE) {
		look->rc = CLI_OK;
	}
}

static void print_phases(const struct cli_call *call)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &err);

	if (answer != NULL) {
		cli_render_plan(json_object_get(answer, "status"), call->words[0], &out);
		fputs(bm_strbuf_text(&out), stdout);
	}
	bm_strbuf_finish(&out);
	json_decref(answer);
}

static void print_rest(struct look *look)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	add_findings(look, &out);
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
}

static void print_fix(const struct look *look)
{
	struct bm_strbuf text = BM_STRBUF_INIT, out = BM_STRBUF_INIT;

	bm_strbuf_printf(&text,
			"`bucardo-machine plan %s --fix` applies %zu of the fixes; the others are "
			"for a person.",
			look->call->words[0], look->safe_count);
	cli_text_wrapped(bm_strbuf_text(&text), 0, 0, &out);
	printf("\n%s", bm_strbuf_text(&out));
	bm_strbuf_finish(&text);
	bm_strbuf_finish(&out);
}

int cli_plan(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct look look = {.call = call, .rc = CLI_FAILED};
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s, s:b}", "command", "plan", "migration",
					call->words[0], "fix", call->fix),
			&err);

	if (answer == NULL) {
		return complain(&err);
	}
	cli_text_set_columns(cli_screen_size().ws_col);
	if (!call->json) {
		print_phases(call);
	}
	char *line = json_dumps(json_object_get(answer, "request"), JSON_COMPACT);
	json_decref(answer);
	int rc = cli_ask_worker(call, line, on_line, &look, &look.why, &err);
	free(line);
	print_rest(&look); /* of one that ended without a result */
	if (rc != 0) {
		complain(&err);
	} else if (look.why.length > 0) {
		fprintf(stderr, "bucardo-machine: the look was not finished: %s\n",
				bm_strbuf_text(&look.why));
	}
	if (!call->json && !call->fix && look.safe_count > 0) {
		print_fix(&look);
	}
	bm_strbuf_finish(&look.why);
	return look.rc;
}

/* ---- accept: what a person decided, done by a worker of our own ---- */

static void on_accept_line(void *ctx, const struct bm_phase_line *line)
{
	struct look *look = ctx;

	if (line->event == BM_PHASE_EVENT_NOTE) {
		printf("%s\n", line->text);
	} else if (line->event == BM_PHASE_EVENT_DONE) {
		look->rc = CLI_OK;
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		fprintf(stderr, "bucardo-machine: %s%s%s\n", line->message,
				line->hint[0] != '\0' ? "; " : "", line->hint);
	}
}

/* The request of a preflight names both databases; what is to be done is another thing. */
static char *accept_request(const struct cli_call *call, struct bm_error *err)
{
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s}", "command", "plan", "migration", call->words[0]),
			err);
	json_t *request = json_object_get(answer, "request");
	char *line = NULL;

	if (request != NULL) {
		json_object_set_new(request, "phase", json_string("accept"));
		json_object_set_new(request, "way", json_string(call->words[1]));
		line = json_dumps(request, JSON_COMPACT);
	}
	json_decref(answer);
	return line;
}

int cli_accept(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct look look = {.call = call, .rc = CLI_FAILED};
	char *line = accept_request(call, &err);
	int rc = line != NULL
			? cli_ask_worker(call, line, on_accept_line, &look, &look.why, &err)
			: -1;

	free(line);
	if (rc != 0) {
		complain(&err);
	} else if (look.why.length > 0) {
		fprintf(stderr, "bucardo-machine: it was not finished: %s\n",
				bm_strbuf_text(&look.why));
	}
	bm_strbuf_finish(&look.why);
	return look.rc == CLI_OK ? cli_resume(call) : look.rc;
}
