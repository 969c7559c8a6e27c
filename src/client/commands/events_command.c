/*
 * `events`: what happened, from a moment on, and what happens. A follower outlives the
 * machine: it waits for the socket to come back, and goes on behind the last id it has.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/render.h"
#include "client/terminal/text.h"

#define RETRY_MSEC 500

struct listing {
	const struct cli_call *call;
	uint64_t last;			/* the id of the newest one that was told */
	char since[BM_CLOCK_TEXT_SIZE]; /* as events tell it; "" from the first on */
};

/* ---- --since ---- */

/* "90s", "2min", "2h": how long ago; as in machine.yaml, and shorter. */
static bool parse_span(const char *text, int64_t *msec)
{
	static const struct {
		const char *name;
		int64_t msec;
	} units[] = {{"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000},
			{"d", 86400000}};
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || count > 1000000) {
		return false;
	}
	for (size_t i = 0; i < BM_COUNT_OF(units); i++) {
		if (strcmp(units[i].name, end) == 0) {
			*msec = (int64_t)count * units[i].msec;
			return true;
		}
	}
	return false;
}

/* A day, or a minute or second of it, in UTC. */
static bool parse_time(const char *text, int64_t *msec)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
			"%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};

	for (size_t i = 0; i < BM_COUNT_OF(forms); i++) {
		struct tm utc = {.tm_mday = 1};
		const char *rest = strptime(text, forms[i], &utc);
		if (rest != NULL && *rest == '.') { /* as events are told: msec */
			rest += 1 + strspn(rest + 1, "0123456789");
		}
		if (rest != NULL && (rest[0] == '\0' || strcmp(rest, "Z") == 0)) {
			*msec = (int64_t)timegm(&utc) * 1000;
			return true;
		}
	}
	return false;
}

static int parse_since(struct listing *listing)
{
	const char *text = listing->call->since;
	int64_t msec;

	if (text == NULL) {
		return 0;
	}
	if (parse_span(text, &msec)) {
		msec = bm_clock_wall_msec() - msec;
	} else if (!parse_time(text, &msec)) {
		fprintf(stderr,
				"bucardo-machine: --since cannot be '%s': it is a span (90s, 30min, 2h, 7d) "
				"or a time in UTC (2026-01-31, 2026-01-31T12:00)\n",
				text);
		return -1;
	}
	bm_clock_format(msec, listing->since);
	return 0;
}

/* ---- telling ---- */

static void print_event(struct listing *listing, const json_t *event)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(event, "id"));
	struct bm_strbuf out = BM_STRBUF_INIT;

	if (id <= listing->last) {
		return;
	}
	listing->last = id;
	if (strcmp(cli_text_of(event, "at"), listing->since) < 0) {
		return;
	}
	if (listing->call->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		cli_render_event(event, cli_wants_colour(), &out);
		fputs(bm_strbuf_text(&out), stdout);
		bm_strbuf_finish(&out);
	}
	if (listing->call->follow) {
		fflush(stdout);
	}
}

/* Print until the last answer, or until the reader of our stdout has gone. */
static int print_events(
		struct listing *listing, struct cli_client *client, struct bm_error *err)
{
	for (;;) {
		json_t *answer = cli_client_next(client, err);
		if (answer == NULL) {
			return -1;
		}
		bool done = json_is_true(json_object_get(answer, "done"));
		int rc = done ? cli_client_check(answer, err) : 0;
		if (!done) {
			print_event(listing, json_object_get(answer, "event"));
		}
		json_decref(answer);
		if (done || ferror(stdout)) {
			return rc;
		}
	}
}

/* One connection; `reached` says whether there was one. */
static int ask_once(struct listing *listing, bool *reached, struct bm_error *err)
{
	const struct cli_call *call = listing->call;
	struct cli_client client;
	json_t *request = json_pack("{s:s, s:b, s:I}", "command", "events", "follow",
			call->follow, "after", (json_int_t)listing->last);

	*reached = cli_client_open(&client, call->runtime, CLI_TIMEOUT_MSEC, err) == 0;
	if (!*reached) {
		json_decref(request);
		return -1;
	}
	int rc = cli_client_send(&client, request, err);
	if (call->follow) {
		cli_client_wait_forever(&client);
	}
	if (rc == 0) {
		rc = print_events(listing, &client, err);
	}
	cli_client_close(&client);
	return rc;
}

/* Whoever reads what we print has gone. */
static bool reader_is_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return ferror(stdout) || (poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0);
}

/* Until the reader goes: the machine ends, and comes back. */
static void go_on(struct listing *listing)
{
	bool told = false;

	while (!reader_is_gone()) {
		struct bm_error err = BM_ERROR_INIT;
		bool reached;
		if (!told) {
			fprintf(stderr,
					"bucardo-machine: the machine is unreachable; this goes on when "
					"it is back\n");
		}
		ask_once(listing, &reached, &err);
		told = !reached;
		poll(NULL, 0, RETRY_MSEC);
	}
}

int cli_events(const struct cli_call *call)
{
	struct listing listing = {.call = call};
	struct bm_error err = BM_ERROR_INIT;
	bool reached;

	if (parse_since(&listing) != 0) {
		return CLI_USAGE;
	}
	int rc = ask_once(&listing, &reached, &err);
	if (call->follow && reached && (rc == 0 || err.code == BM_ERR_IO)) {
		go_on(&listing);
		return CLI_OK;
	}
	if (rc != 0) {
		fprintf(stderr, "bucardo-machine: %s\n", err.message);
	}
	return rc == 0 ? CLI_OK : CLI_FAILED;
}
