/*
 * The command `doctor`: what is wrong with each migration, and what to do about it. The look
 * is done beside the machine, by the request that it hands out; nothing is changed.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/phase_host.h"
#include "client/cli/command.h"
#include "client/commands/control_client.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

struct look {
	json_t *evidence; /* NULL: there was none */
	struct bm_strbuf why;
};

static void on_line(void *ctx, const struct bm_phase_line *line)
{
	struct look *look = ctx;

	if (line->event == BM_PHASE_EVENT_DONE) {
		json_decref(look->evidence);
		look->evidence = json_deep_copy(line->evidence);
	} else if (line->event == BM_PHASE_EVENT_FAILED) {
		bm_strbuf_printf(&look->why, "%s%s%s", line->message,
				line->hint[0] != '\0' ? "; " : "", line->hint);
	}
}

/* The evidence, a new object; NULL with `err`. */
static json_t *look_at(const struct cli_call *call, const char *name, struct bm_error *err)
{
	struct look look = {.why = BM_STRBUF_INIT};
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s}", "command", "doctor", "migration", name), err);

	if (answer == NULL) {
		return NULL;
	}
	char *request = json_dumps(json_object_get(answer, "request"), JSON_COMPACT);
	json_decref(answer);
	if (cli_ask_worker(call, request, on_line, &look, &look.why, err) == 0 &&
			look.evidence == NULL) {
		bm_error_set(err, BM_ERR_TRANSIENT, "it could not be looked at: %s",
				bm_strbuf_text(&look.why));
	}
	free(request);
	bm_strbuf_finish(&look.why);
	return look.evidence;
}

/* The names of all migrations, a new array; NULL with `err`. */
static json_t *read_names(const struct cli_call *call, struct bm_error *err)
{
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), err);
	json_t *names = answer != NULL ? json_array() : NULL;
	size_t index;
	json_t *migration;

	json_array_foreach(json_object_get(json_object_get(answer, "status"), "migrations"),
			index, migration)
	{
		json_array_append(names, json_object_get(migration, "name"));
	}
	json_decref(answer);
	return names;
}

static int exit_code_of(const json_t *findings)
{
	int code = CLI_OK;
	size_t index;
	const json_t *finding;

	json_array_foreach(findings, index, finding)
	{
		const char *severity = cli_text_of(finding, "severity");
		int one = strcmp(severity, "stops") == 0	    ? CLI_STOPS
				: strcmp(severity, "degrades") == 0 ? CLI_DEGRADES
								    : CLI_OK;
		code = one > code ? one : code;
	}
	return code;
}

static void print(const struct cli_call *call, const char *name, json_t *evidence)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	if (call->json) {
		json_object_del(evidence, "fading");
		json_object_set_new(evidence, "migration", json_string(name));
		char *text = json_dumps(evidence, JSON_COMPACT);
		puts(text != NULL ? text : "{}");
		free(text);
	} else {
		cli_render_doctor(name, evidence, cli_wants_colour(), &out);
		fputs(bm_strbuf_text(&out), stdout);
	}
	fflush(stdout);
	bm_strbuf_finish(&out);
}

static int doctor_one(const struct cli_call *call, const char *name)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *evidence = look_at(call, name, &err);

	if (evidence == NULL) {
		fprintf(stderr, "bucardo-machine: doctor: %s\n", err.message);
		return CLI_FAILED;
	}
	print(call, name, evidence);
	int code = exit_code_of(json_object_get(evidence, "findings"));
	json_decref(evidence);
	return code;
}

int cli_doctor(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *names = call->word_count > 0 ? json_pack("[s]", call->words[0])
					     : read_names(call, &err);
	bool failed = names == NULL;
	int worst = CLI_OK;
	size_t index;
	const json_t *name;

	if (failed) {
		fprintf(stderr, "bucardo-machine: doctor: %s\n", err.message);
	}
	cli_text_set_columns(cli_screen_size().ws_col);
	json_array_foreach(names, index, name)
	{
		int code = doctor_one(call, json_string_value(name));
		failed = failed || code == CLI_FAILED;
		worst = code > worst ? code : worst;
	}
	if (!failed && json_array_size(names) == 0 && !call->json) {
		puts("machine.yaml declares no migration, so there is nothing to look at.");
	}
	json_decref(names);
	return worst > CLI_FAILED ? worst : failed ? CLI_FAILED : CLI_OK;
}
