/*
 * control_client - the other end of the control socket, blocking, with limits
 *
 * One request, then one or more answers, a JSON object each; the last has
 * "done": true (docs/control-protocol.md). Nothing here prints: a message says
 * which socket was tried, what happened, and what to do next.
 */
#ifndef CLIENT_COMMANDS_CONTROL_CLIENT_H
#define CLIENT_COMMANDS_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

/* How long a person's command waits for the machine; a probe's waits less. */
#define CLI_TIMEOUT_MSEC 5000
#define CLI_PROBE_TIMEOUT_MSEC 1000

struct cli_client {
	int fd;
	unsigned timeout_msec;
	char path[4096]; /* PATH_MAX */
	struct bm_strbuf input;
};

/* Connect to <runtime>/control.sock. After a failure there is nothing to close. */
int cli_client_open(struct cli_client *client, const char *runtime, unsigned timeout_msec,
		struct bm_error *err);
void cli_client_close(struct cli_client *client);

/* Send one request; it is released in any case. */
int cli_client_send(struct cli_client *client, json_t *request, struct bm_error *err);

/* Wait without limit from now on, for a stream of events. */
void cli_client_wait_forever(struct cli_client *client);

/* The next answer (caller: json_decref), or NULL with `err`. */
json_t *cli_client_next(struct cli_client *client, struct bm_error *err);

/*
 * One request and its only answer. An answer that says "ok": false becomes an
 * error with the machine's own words (code "config" gives BM_ERR_CONFIG).
 */
json_t *cli_client_call(const char *runtime, unsigned timeout_msec, json_t *request,
		struct bm_error *err);

/* Whether the answer says "ok": true; otherwise its words are in `err`. */
int cli_client_check(json_t *answer, struct bm_error *err);

#endif
