/*
 * The command `teardown NAME`: says what goes, asks, lets the machine do it, and watches. What
 * the machine was asked outlives it and this command.
 */
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/phase_host.h"
#include "bucardo_machine/sessions.h"
#include "bucardo_machine/words.h"
#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

#define WATCH_MSEC 200

/* A machine that is started again meanwhile answers by then. */
#define AWAY_LIMIT_MSEC 60000

/* What passes by itself is waited for; after so many failed tries a person is told. */
#define PATIENT_TRIES 3

struct leave {
	const struct cli_call *call;
	const char *name;
	json_t *request; /* of the preview, and what it found */
	json_t *found;
	struct bm_strbuf why;
};

static int complain(const struct bm_error *err)
{
	fprintf(stderr, "bucardo-machine: teardown: %s\n", err->message);
	return CLI_FAILED;
}

static void wrapped(struct bm_strbuf *text)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	cli_text_wrapped(bm_strbuf_text(text), 0, 0, &out);
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
	bm_strbuf_clear(text);
}

/* ---- what goes ---- */

static void on_look(void *ctx, const struct bm_phase_line *line)
{
	struct leave *leave = ctx;

	if (line->event == BM_PHASE_EVENT_PLAN) {
		json_decref(leave->found);
		leave->found = json_deep_copy(line->evidence);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		bm_strbuf_puts(&leave->why, line->message);
	}
}

static int preview(struct leave *leave, struct bm_error *err)
{
	json_t *answer = cli_client_call(leave->call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s, s:b}", "command", "teardown", "migration",
					leave->name, "preview", 1),
			err);

	leave->request = json_incref(json_object_get(answer, "request"));
	json_decref(answer);
	if (leave->request == NULL) {
		return -1;
	}
	char *line = json_dumps(leave->request, JSON_COMPACT);
	int rc = cli_ask_worker(leave->call, line, on_look, leave, &leave->why, err);
	free(line);
	if (rc == 0 && leave->found == NULL) {
		rc = bm_error_set(err, BM_ERR_TRANSIENT, "the preview was not finished: %s",
				bm_strbuf_text(&leave->why));
	}
	return rc;
}

static bool is_without(const struct cli_call *call, const char *side)
{
	return call->without != NULL &&
			(strcmp(call->without, "both") == 0 ||
					strcmp(call->without, side) == 0);
}

/* How the missing side is cleaned once it is there again. */
static void add_command(const struct leave *leave, const char *side, struct bm_strbuf *out)
{
	static const char *const keywords[] = {"host", "dbname", "user", "sslmode"};
	const json_t *end = json_object_get(json_object_get(leave->request, "migration"), side);
	struct bm_strbuf words = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(keywords); i++) {
		const char *value = cli_text_of(end, keywords[i]);
		if (value[0] != '\0') {
			bm_strbuf_printf(&words, "%s%s=%s", words.length > 0 ? " " : "",
					keywords[i], value);
		}
	}
	bm_strbuf_printf(&words, " port=%lld",
			(long long)json_integer_value(json_object_get(end, "port")));
	bm_strbuf_printf(out, "bucardo-machine teardown %s --%s \"%s\"", leave->name, side,
			bm_strbuf_text(&words));
	bm_strbuf_finish(&words);
}

static void print_counts(const json_t *side, struct bm_strbuf *out)
{
	cli_text_count(side, "triggers", "trigger", "triggers", out);
	if (json_integer_value(json_object_get(side, "objects")) > 0) {
		bm_strbuf_puts(out, ", ");
		cli_text_count(side, "objects", "table or function", "tables and functions",
				out);
	}
	if (json_integer_value(json_object_get(side, "waiting")) > 0) {
		bm_strbuf_puts(out, "; ");
		cli_text_count(side, "waiting", "change waits to be applied, and will not be",
				"changes wait to be applied, and will not be", out);
	}
}

/* Returns whether the side stands in the way. */
static bool report_side(const struct leave *leave, const json_t *side)
{
	const char *role = cli_text_of(side, "side"), *error = cli_text_of(side, "error");
	const char *others = cli_text_of(side, "others");
	struct bm_strbuf text = BM_STRBUF_INIT;
	bool in_the_way = false;

	bm_strbuf_printf(&text, "%s: ", role);
	if (is_without(leave->call, role)) {
		bm_strbuf_puts(&text, "left as it is");
	} else if (error[0] != '\0') {
		in_the_way = true;
		bm_strbuf_printf(&text, "%s", error);
		if (cli_text_of(side, "hint")[0] != '\0') {
			bm_strbuf_printf(&text, "; %s", cli_text_of(side, "hint"));
		} else {
			bm_strbuf_printf(&text,
					"; bring it back, or when it is gone for good: "
					"bucardo-machine teardown %s --without %s",
					leave->name, role);
		}
	} else {
		bm_strbuf_printf(&text, "%s: ", cli_text_of(side, "place"));
		print_counts(side, &text);
		if (others[0] != '\0') {
			bm_strbuf_puts(&text, "; ");
			bm_strbuf_puts(&text,
					bm_words_names(&text, others) == 1
							? " uses it too, and goes on"
							: " use it too, and go on");
		}
	}
	wrapped(&text);
	bm_strbuf_finish(&text);
	return in_the_way;
}

/* What it means for who goes on with which side. */
static void report_meaning(const json_t *destination)
{
	const char *fence = cli_text_of(destination, "fence");
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (strcmp(fence, "up") == 0) {
		bm_strbuf_puts(&text,
				"It has not been cut over: the source goes on as it is. The destination "
				"stays as it is now, does not follow the source any more, and takes "
				"writes of anyone.");
	} else if (strcmp(fence, "lifted") == 0) {
		bm_strbuf_puts(&text,
				"It was cut over: the destination goes on as it is, and the source does "
				"not follow it any more. There is no way back then.");
	}
	if (text.length > 0) {
		wrapped(&text);
	}
	bm_strbuf_finish(&text);
}

static bool is_agreed(const struct leave *leave)
{
	const json_t *sides = json_object_get(leave->found, "sides");
	size_t index;
	const json_t *side;
	bool blocked = false;

	if (leave->call->json) {
		return cli_confirm(leave->call, "nothing was removed");
	}
	printf("%s: all that it made goes.\n", leave->name);
	json_array_foreach(sides, index, side)
	{
		blocked = report_side(leave, side) || blocked;
	}
	report_meaning(json_array_get(sides, 1));
	if (blocked) {
		puts("What can be reached is cleaned; the rest is waited for.");
	}
	return cli_confirm(leave->call, "nothing was removed");
}

/* ---- watching ---- */

/* Its part of the status; new. NULL while the machine does not answer, or has forgotten it. */
static json_t *read_migration(const struct leave *leave)
{
	struct bm_error ignored = BM_ERROR_INIT;
	json_t *answer = cli_client_call(leave->call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &ignored);
	const json_t *migrations = json_object_get(
			json_object_get(answer, "status"), "migrations");
	json_t *migration = json_incref(
			(json_t *)(uintptr_t)cli_text_named(migrations, leave->name));

	json_decref(answer);
	return migration;
}

static void show_progress(const json_t *migration, bool terminal)
{
	const json_t *progress = json_object_get(migration, "progress");
	const json_t *percent = json_object_get(progress, "percent");

	if (terminal) {
		printf("\r\033[K%3lld %% %.70s", (long long)json_integer_value(percent),
				cli_text_of(progress, "text"));
		fflush(stdout);
	}
}

static bool has_failed(const json_t *migration)
{
	json_int_t attempts = json_integer_value(json_object_get(migration, "attempt"));
	bool passes = strcmp(cli_text_of(migration, "class"), "transient") == 0;

	return strcmp(cli_text_of(migration, "status"), "running") != 0 &&
			attempts >= (passes ? PATIENT_TRIES : 1);
}

/* Until it is done, or a person is needed. NULL with `err` when the machine is gone. */
static json_t *watch(const struct leave *leave, struct bm_error *err)
{
	uint64_t answered_msec = bm_clock_msec();
	bool terminal = isatty(STDOUT_FILENO) && !leave->call->json;
	json_t *migration = NULL;

	for (;;) {
		json_decref(migration);
		migration = read_migration(leave);
		const char *state = cli_text_of(
				json_object_get(migration, "teardown"), "state");
		uint64_t now = bm_clock_msec();
		/* The machine's next tick follows the worker's last line. */
		bool done = strcmp(state, "done") == 0 &&
				strcmp(cli_text_of(migration, "status"), "done") == 0;
		if (done || (migration != NULL && has_failed(migration))) {
			break;
		}
		if (migration != NULL) {
			answered_msec = now;
			show_progress(migration, terminal);
		} else if (now - answered_msec > AWAY_LIMIT_MSEC) {
			bm_error_set(err, BM_ERR_TIMEOUT,
					"the machine does not answer, or does not know '%s' any "
					"more: what it was asked is written down, and it goes on "
					"with it when it is started again; `bucardo-machine events` "
					"has how far it came",
					leave->name);
			break;
		}
		poll(NULL, 0, WATCH_MSEC);
	}
	if (terminal) {
		fputs("\r\033[K", stdout);
	}
	return migration;
}

/* ---- the result ---- */

/* Returns whether nothing is left on a side. */
static bool print_side(const struct leave *leave, const json_t *side)
{
	const char *role = cli_text_of(side, "side"), *state = cli_text_of(side, "state");
	struct bm_strbuf text = BM_STRBUF_INIT;
	size_t index;
	const json_t *one;

	if (strcmp(state, "without") == 0) {
		add_command(leave, role, &text);
		cli_teardown_print(leave->call, "without", role,
				"was left as it is; once it is there again:",
				bm_strbuf_text(&text));
	} else if (strcmp(state, "clean") == 0) {
		cli_teardown_print_clean(leave->call, role, cli_text_of(side, "place"),
				cli_text_of(side, "others"));
	}
	json_array_foreach(json_object_get(side, "left"), index, one)
	{
		cli_teardown_print_left(leave->call, "left", role, cli_text_of(one, "what"),
				cli_text_of(one, "statement"));
	}
	bm_strbuf_finish(&text);
	return strcmp(state, "left") != 0;
}

static int print_result(const struct leave *leave, const json_t *migration)
{
	const json_t *teardown = json_object_get(migration, "teardown");
	const json_t *sides = json_object_get(json_object_get(teardown, "result"), "sides");
	bool clean = true;
	size_t index;
	const json_t *side;

	if (strcmp(cli_text_of(teardown, "state"), "done") != 0) {
		fprintf(stderr,
				"bucardo-machine: teardown: %s%s%s\nIt goes on trying; "
				"`bucardo-machine status` shows how far it is.\n",
				cli_text_of(migration, "why"),
				cli_text_of(migration, "hint")[0] != '\0' ? "; " : "",
				cli_text_of(migration, "hint"));
		return CLI_FAILED;
	}
	json_array_foreach(sides, index, side)
	{
		clean = print_side(leave, side) && clean;
	}
	if (!leave->call->json) {
		printf("%s is torn down: %s\n", leave->name, cli_text_of(migration, "hint"));
	}
	return clean ? CLI_OK : CLI_FAILED;
}

/* ---- all of it ---- */

static int tear_down(struct leave *leave, struct bm_error *err)
{
	if (preview(leave, err) != 0) {
		return -1;
	}
	if (!is_agreed(leave)) {
		return CLI_FAILED;
	}
	json_t *answer = cli_client_call(leave->call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s, s:s}", "command", "teardown", "migration",
					leave->name, "without",
					leave->call->without != NULL ? leave->call->without
								     : ""),
			err);
	if (answer == NULL) {
		return -1;
	}
	json_decref(answer);
	json_t *migration = watch(leave, err);
	int rc = err->code != BM_ERR_NONE ? -1 : print_result(leave, migration);
	json_decref(migration);
	return rc;
}

int cli_teardown_machine(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct leave leave = {.call = call};

	if (call->word_count != 1) {
		fputs("bucardo-machine: 'teardown' needs the NAME of one migration, or --source "
		      "CONNINFO, --destination CONNINFO, or both\n",
				stderr);
		return CLI_USAGE;
	}
	leave.name = call->words[0];
	cli_text_set_columns(cli_screen_size().ws_col);
	int rc = tear_down(&leave, &err);
	json_decref(leave.request);
	json_decref(leave.found);
	bm_strbuf_finish(&leave.why);
	return rc < 0 ? complain(&err) : rc;
}
