/* The commands that are one question to the machine: health, service, config, status.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

static int complain(const struct bm_error *err)
{
	fprintf(stderr, "bucardo-machine: %s\n", err->message);
	return CLI_FAILED;
}

static json_t *ask(const struct cli_call *call, json_t *request)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC, request, &err);

	if (answer == NULL) {
		complain(&err);
	}
	return answer;
}

/* ---- health ---- */

int cli_health(const struct cli_call *call)
{
	const char *what = call->words[0];
	struct bm_error err = BM_ERROR_INIT;

	if (strcmp(what, "live") != 0 && strcmp(what, "ready") != 0) {
		fprintf(stderr, "bucardo-machine: health can be asked for live or ready, not '%s'\n",
				what);
		return CLI_USAGE;
	}
	json_t *request = json_pack("{s:s, s:s}", "command", "health", "what", what);
	json_t *answer = cli_client_call(call->runtime, CLI_PROBE_TIMEOUT_MSEC, request, &err);
	if (answer == NULL) {
		printf("not %s: %s\n", what, err.message); /* probes show what is on stdout */
		return CLI_FAILED;
	}
	bool good = json_is_true(json_object_get(answer, "healthy"));
	if (good) {
		puts(what);
	} else {
		printf("not %s: %s\n", what, cli_text_of(answer, "why"));
	}
	json_decref(answer);
	return good ? CLI_OK : CLI_FAILED;
}

/* ---- service ---- */

static int send_request(const struct cli_call *call, const char *verb, const char *done)
{
	json_t *answer = ask(call,
			json_pack("{s:s, s:s, s:s}", "command", "service", "verb", verb, "unit",
					call->words[0]));

	if (answer == NULL) {
		return CLI_FAILED;
	}
	printf("%s %s; `bucardo-machine status` shows how far it is\n", call->words[0], done);
	json_decref(answer);
	return CLI_OK;
}

int cli_service_restart(const struct cli_call *call)
{
	return send_request(call, "restart", "is being restarted");
}

int cli_service_start(const struct cli_call *call)
{
	return send_request(call, "start", "is wanted up");
}

int cli_service_stop(const struct cli_call *call)
{
	return send_request(
			call, "stop", "is being stopped and stays so until `service start`");
}

bool cli_wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0');
}

int cli_service_list(const struct cli_call *call)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	json_t *answer = ask(call, json_pack("{s:s}", "command", "status"));

	if (answer == NULL) {
		return CLI_FAILED;
	}
	cli_render_units(json_object_get(answer, "status"), cli_wants_colour(), &out);
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
	json_decref(answer);
	return CLI_OK;
}

/* ---- config, the part that needs the machine ---- */

int cli_config_reload(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "config-reload"), &err);

	if (answer == NULL) {
		complain(&err);
		return err.code == BM_ERR_CONFIG ? CLI_UNUSABLE : CLI_FAILED;
	}
	puts("the configuration was read again and is in force");
	json_decref(answer);
	return CLI_OK;
}

int cli_config_show(const struct cli_call *call)
{
	json_t *answer = ask(call, json_pack("{s:s}", "command", "config-show"));

	if (answer == NULL) {
		return CLI_FAILED;
	}
	fputs(cli_text_of(answer, "text"), stdout);
	json_decref(answer);
	return CLI_OK;
}

/* ---- status ---- */

struct winsize cli_screen_size(void)
{
	struct winsize size = {.ws_row = 0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
		size = (struct winsize){.ws_row = 0};
	}
	return size;
}

static void render_status(const struct cli_call *call, const json_t *status,
		const struct winsize *size, struct bm_strbuf *out)
{
	/* The last line is the prompt's. */
	const struct cli_view view = {.colour = cli_wants_colour(),
			.detail = call->all ? CLI_ALL : CLI_ANY,
			.rows = size->ws_row > 1 && !call->watch ? size->ws_row - 1U
								 : size->ws_row,
			.is_fixed = call->watch};

	if (call->json) {
		char *text = json_dumps(status, JSON_INDENT(2));
		bm_strbuf_printf(out, "%s\n", text);
		free(text);
	} else {
		cli_text_set_columns(size->ws_col);
		cli_render_status(status, &view, out);
	}
}

static int print_status(const struct cli_call *call)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct winsize size = cli_screen_size();
	json_t *answer = ask(call, json_pack("{s:s}", "command", "status"));

	if (answer == NULL) {
		return CLI_FAILED;
	}
	render_status(call, json_object_get(answer, "status"), &size, &out);
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
	json_decref(answer);
	return CLI_OK;
}

/* Line after line over the one before, so that nothing flickers; cut at the edges of the
 * screen: what matters most stands at the top, and must not scroll away. */
static void draw(const char *text, unsigned rows)
{
	fputs("\033[H\033[?7l", stdout);
	for (unsigned row = 1; *text != '\0'; row++) {
		int length = (int)strcspn(text, "\n");
		printf("\033[K%.*s", length, text); /* at the edge it would take the last one */
		text += length + (text[length] == '\n');
		if (rows > 0 && row == rows) {
			break;
		}
		if (*text != '\0') {
			putchar('\n');
		}
	}
	fputs("\033[J\033[?7h", stdout);
}

static void draw_status(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf out = BM_STRBUF_INIT;
	struct winsize size = cli_screen_size();
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &err);

	if (answer == NULL) {
		bm_strbuf_printf(&out, "bucardo-machine: %s", err.message);
	} else {
		render_status(call, json_object_get(answer, "status"), &size, &out);
	}
	draw(bm_strbuf_text(&out), size.ws_row);
	json_decref(answer);
	bm_strbuf_finish(&out);
}

int cli_status(const struct cli_call *call)
{
	bool terminal = isatty(STDOUT_FILENO);

	if (!call->watch) {
		return print_status(call);
	}
	if (terminal) {
		fputs("\033[2J", stdout);
	}
	while (!ferror(stdout)) {
		/* A machine that is not there may come back. */
		if (terminal) {
			draw_status(call);
		} else {
			print_status(call);
			putchar('\n');
		}
		fflush(stdout);
		poll(NULL, 0, 1000);
	}
	return CLI_FAILED;
}
