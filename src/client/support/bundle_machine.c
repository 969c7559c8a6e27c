/* What the machine answers, and what a person wrote for it. */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "client/commands/control_client.h"
#include "client/support/bundle.h"
#include "client/terminal/text.h"

/* A command of one answer, and the member of it that is kept. */
static const struct {
	const char *command, *member, *file;
} questions[] = {
		{"version", "version", "version.txt"},
		{"status", "status", "status.json"},
		{"config-show", "text", "config.yaml"},
};

static void ask(struct bundle *bundle, const char *command, const char *member,
		const char *file)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(bundle->call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", command), &err);
	const json_t *value = json_object_get(answer, member);
	char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_INDENT(1));

	if (answer == NULL) {
		bundle_fail(bundle, file, err.message);
	} else {
		bundle_write(bundle, file, text != NULL ? text : cli_text_of(answer, member));
	}
	free(text);
	json_decref(answer);
}

static void add_events(struct bundle *bundle)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf lines = BM_STRBUF_INIT;
	struct cli_client client;
	bool done = cli_client_open(&client, bundle->call->runtime, CLI_TIMEOUT_MSEC, &err) !=
			0;

	if (!done) {
		done = cli_client_send(&client, json_pack("{s:s}", "command", "events"),
				       &err) != 0;
		while (!done) {
			json_t *answer = cli_client_next(&client, &err);
			const json_t *event = json_object_get(answer, "event");
			char *text = event != NULL ? json_dumps(event, JSON_COMPACT) : NULL;
			done = answer == NULL || event == NULL;
			bm_strbuf_printf(&lines, text != NULL ? "%s\n" : "%.0s",
					text != NULL ? text : "");
			free(text);
			json_decref(answer);
		}
		cli_client_close(&client);
	}
	if (err.code != BM_ERR_NONE) {
		bundle_fail(bundle, "events.jsonl", err.message);
	}
	bundle_write(bundle, "events.jsonl", bm_strbuf_text(&lines));
	bm_strbuf_finish(&lines);
}

static void add_file(struct bundle *bundle)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf path = BM_STRBUF_INIT, text = BM_STRBUF_INIT;

	bm_strbuf_printf(&path, "%s/machine.yaml", bundle->call->volume);
	if (bm_file_load(bm_strbuf_text(&path), BUNDLE_PART_BYTES, &text, &err) == 0) {
		bundle_write(bundle, "machine.yaml", bm_strbuf_text(&text));
	} else {
		bundle_fail(bundle, "machine.yaml", err.message);
	}
	bm_strbuf_finish(&path);
	bm_strbuf_finish(&text);
}

void bundle_add_machine(struct bundle *bundle)
{
	for (size_t i = 0; i < BM_COUNT_OF(questions); i++) {
		ask(bundle, questions[i].command, questions[i].member, questions[i].file);
	}
	add_events(bundle);
	add_file(bundle);
}
