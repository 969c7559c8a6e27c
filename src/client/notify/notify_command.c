/* The command `notify`: how each receiver stands; `notify test`: a message to each now. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/receivers.h"
#include "client/cli/command.h"
#include "client/notify/notify_receivers.h"

struct asked {
	struct bm_loop *loop;
	size_t open, failed;
};

static void on_tested(void *ctx, const char *name, uint64_t msec, const char *why)
{
	struct asked *asked = ctx;

	if (why[0] == '\0') {
		printf("%s: delivered in %llu ms\n", name, (unsigned long long)msec);
	} else {
		printf("%s: NOT delivered: %s\n", name, why);
		asked->failed++;
	}
	if (--asked->open == 0) {
		bm_loop_stop(asked->loop);
	}
}

/* The receivers of machine.yaml as it stands there, as text; NULL: the reason is printed. */
static char *read_receivers(const struct cli_call *call)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;
	char *path = bm_format("%s/machine.yaml", call->volume), *text = NULL;
	struct bm_config *config = bm_file_is_named(path) ? bm_config_load(path, &errors)
							  : NULL;

	if (config == NULL) {
		fprintf(stderr, "%sbucardo-machine: notify: %s '%s'\n", bm_strbuf_text(&errors),
				errors.length > 0 ? "cannot use" : "there is no", path);
	} else if (config->receiver_count == 0) {
		fprintf(stderr,
				"bucardo-machine: notify: '%s' names no receiver; "
				"`bucardo-machine config example` shows notify.receivers\n",
				path);
	} else {
		text = bm_receivers_text(config);
	}
	bm_config_destroy(config);
	bm_strbuf_finish(&errors);
	free(path);
	return text;
}

static int test(struct asked *asked, struct notify_receivers *receivers, const char *name)
{
	asked->open = notify_receivers_test(receivers, name, on_tested, asked);
	if (asked->open == 0) {
		fprintf(stderr, "bucardo-machine: notify: machine.yaml names no receiver '%s'\n",
				name);
		return CLI_FAILED;
	}
	bm_loop_run(asked->loop);
	return asked->failed > 0 ? CLI_FAILED : CLI_OK;
}

static void print(const json_t *list)
{
	size_t index;
	const json_t *one;

	json_array_foreach(list, index, one)
	{
		const char *at = json_string_value(json_object_get(one, "delivered_at"));
		const char *why = json_string_value(json_object_get(one, "why"));
		json_int_t failures = json_integer_value(json_object_get(one, "failures"));
		printf("%s: %s, least %s, last told %s",
				json_string_value(json_object_get(one, "name")),
				json_string_value(json_object_get(one, "kind")),
				json_string_value(json_object_get(one, "least")),
				at != NULL ? at : "never");
		if (failures > 0) {
			const char *since = json_string_value(
					json_object_get(one, "failing_since"));
			printf("; NOT TOLD since %s, %lld time%s in a row: %s",
					since != NULL ? since : "an earlier version",
					(long long)failures, failures == 1 ? "" : "s", why);
		}
		putchar('\n');
	}
}

static int list(const struct cli_call *call, struct notify_receivers *receivers)
{
	json_t *all = notify_receivers_list(receivers);
	size_t index;
	const json_t *one;
	int code = CLI_OK;

	if (call->json) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print(all);
	}
	json_array_foreach(all, index, one)
	{
		if (json_integer_value(json_object_get(one, "failures")) > 0) {
			code = CLI_FAILED;
		}
	}
	json_decref(all);
	return code;
}

int cli_notify(const struct cli_call *call)
{
	bool tests = call->word_count > 0;
	struct bm_error err = BM_ERROR_INIT;

	if (tests && strcmp(call->words[0], "test") != 0) {
		fprintf(stderr, "bucardo-machine: notify: '%s' is not `test`\n",
				call->words[0]);
		return CLI_USAGE;
	}
	struct asked asked = {.loop = bm_loop_create(&err)};
	char *text = read_receivers(call);
	struct notify_receivers *receivers = NULL;
	int code = CLI_FAILED;

	if (text != NULL && asked.loop != NULL) {
		receivers = notify_receivers_create(asked.loop, text, call->volume, &err);
	}
	if (receivers != NULL) {
		code = !tests ? list(call, receivers)
			      : test(&asked, receivers,
						call->word_count > 1 ? call->words[1] : NULL);
	} else if (text != NULL) {
		fprintf(stderr, "bucardo-machine: notify: %s\n", err.message);
	}
	notify_receivers_destroy(receivers);
	bm_loop_destroy(asked.loop);
	free(text);
	return code;
}
