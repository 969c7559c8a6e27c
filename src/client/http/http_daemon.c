/* What the daemon is asked over the control socket: a connection a question. */
#include "client/http/http_daemon.h"

#include "client/commands/control_client.h"

static json_t *request_of(const struct http_wanted *wanted)
{
	switch (wanted->question) {
	case HTTP_ASK_LIVE:
		return json_pack("{s:s, s:s}", "command", "health", "what", "live");
	case HTTP_ASK_READY:
		return json_pack("{s:s, s:s}", "command", "health", "what", "ready");
	case HTTP_ASK_EVENTS:
		return json_pack("{s:s, s:I, s:b}", "command", "events", "after",
				(json_int_t)wanted->after, "follow", false);
	case HTTP_ASK_BRIEF:
		return json_pack("{s:s, s:b}", "command", "status", "brief", 1);
	default:
		return json_pack("{s:s}", "command", "status");
	}
}

/* The events, one an answer, until the last line or as many as one page has. */
static json_t *read_events(struct cli_client *client, struct bm_error *err)
{
	json_t *list = json_array();

	while (json_array_size(list) < HTTP_EVENTS_LIMIT) {
		json_t *line = cli_client_next(client, err);
		json_t *event = json_object_get(line, "event");
		if (event == NULL) {
			bool is_end = line != NULL && cli_client_check(line, err) == 0;
			json_decref(line);
			if (is_end) {
				break;
			}
			json_decref(list);
			return NULL;
		}
		json_array_append(list, event);
		json_decref(line);
	}
	return list;
}

/* An answer that says no is an answer: `healthy` is false. */
json_t *http_daemon_talk(void *ctx, const struct http_wanted *wanted, struct bm_error *err)
{
	const char *runtime = ctx;
	struct cli_client client;
	json_t *answer = NULL;

	if (cli_client_open(&client, runtime, CLI_PROBE_TIMEOUT_MSEC, err) != 0) {
		return NULL;
	}
	if (cli_client_send(&client, request_of(wanted), err) == 0) {
		answer = wanted->question == HTTP_ASK_EVENTS ? read_events(&client, err)
							     : cli_client_next(&client, err);
	}
	cli_client_close(&client);
	if (wanted->question != HTTP_ASK_EVENTS && answer != NULL &&
			cli_client_check(answer, err) != 0) {
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}
