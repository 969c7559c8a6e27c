/*
 * The command `teardown`: with --source or --destination it takes everything of ours and of
 * Bucardo's out of one or two databases, without the machine, or what the named migrations
 * have there. All are looked at before the first is changed. With a name alone it is the
 * machine that does it (teardown_machine.c).
 */
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/traces.h"
#include "bucardo_machine/transfer.h"
#include "bucardo_machine/words.h"
#include "client/cli/command.h"

/* A machine says this often enough that it is alive (worker/live/sql/machine_seen.sql). */
#define ALIVE_SEC 60

struct side {
	const char *role, *text;
	struct bm_traces *traces;
	const struct cli_call *call;
	const char *const *targets; /* the names on the command line, to NULL; NULL: all */
	unsigned users;
	long heard_sec; /* of `alive` the youngest word */
	struct bm_strbuf names, others, alive;
	bool failed;
};

void cli_teardown_print(const struct cli_call *call, const char *event, const char *role,
		const char *what, const char *statement)
{
	if (call->json) {
		json_t *line = json_pack("{s:s, s:o, s:o, s:o}", "event", event, "side",
				bm_json_text(role), "what", bm_json_text(what), "statement",
				bm_json_text(statement));
		char *text = json_dumps(line, JSON_COMPACT);
		puts(text != NULL ? text : "{}");
		free(text);
		json_decref(line);
	} else if (statement[0] == '\0') {
		printf("%s\n", what);
	} else {
		printf("%s: %s\n    %s\n", role, what, statement);
	}
	fflush(stdout);
}

void cli_teardown_print_left(const struct cli_call *call, const char *event, const char *role,
		const char *what, const char *statement)
{
	char *whole = bm_format("%s;", statement);

	cli_teardown_print(call, event, role, what, whole);
	free(whole);
}

void cli_teardown_print_clean(const struct cli_call *call, const char *role, const char *place,
		const char *others)
{
	struct bm_strbuf what = BM_STRBUF_INIT;

	bm_strbuf_printf(&what, "nothing of ours is left on the %s, %s%s", role, place,
			others[0] != '\0' ? ", but what is used by " : "");
	bm_words_names(&what, others);
	cli_teardown_print(call, "clean", role, bm_strbuf_text(&what), "");
	bm_strbuf_finish(&what);
}

static void on_stuck(void *ctx, const char *what, const char *statement)
{
	const struct side *side = ctx;

	cli_teardown_print_left(side->call, "stuck", side->role, what, statement);
}

static void on_wait(void *ctx, const char *holders, const char *statement)
{
	const struct side *side = ctx;

	fprintf(stderr,
			"bucardo-machine: teardown: %s: waits, and tries again: %.200s; the lock is "
			"held by %s; to go on at once end that transaction\n",
			side->role, statement, holders);
}

static void on_left(void *ctx, const char *what, const char *statement)
{
	const struct side *side = ctx;

	cli_teardown_print_left(side->call, "left", side->role, what, statement);
}

static bool is_named(const struct cli_call *call, const char *name)
{
	for (size_t i = 0; i < call->word_count; i++) {
		if (strcmp(call->words[i], name) == 0) {
			return true;
		}
	}
	return call->word_count == 0;
}

static void on_user(void *ctx, const char *name, const char *host, long age_sec)
{
	struct side *side = ctx;

	side->users++;
	bm_strbuf_printf(&side->names, "%s%s", side->names.length > 0 ? " " : "", name);
	if (is_named(side->call, name) && age_sec >= 0 && age_sec < ALIVE_SEC) {
		side->heard_sec = side->alive.length == 0 || age_sec < side->heard_sec
				? age_sec
				: side->heard_sec;
		bm_strbuf_printf(&side->alive, "%s%s (on %s, heard of %ld s ago)",
				side->alive.length > 0 ? ", " : "", name, host, age_sec);
	}
}

static int read_users(struct side *side, struct bm_error *err)
{
	side->users = 0;
	bm_strbuf_clear(&side->names);
	bm_strbuf_clear(&side->alive);
	return bm_traces_users(side->traces, on_user, side, err);
}

static void tell_wait(const struct side *side)
{
	fprintf(stderr,
			"bucardo-machine: teardown: %s: a machine was at work there: %s; waiting up to "
			"%ld s to see that it is gone\n",
			side->role, bm_strbuf_text(&side->alive), ALIVE_SEC - side->heard_sec);
}

static int is_alive(const struct side *side, struct bm_error *err)
{
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"a machine is at work there and would make it again: %s; type "
			"`bucardo-machine teardown NAME` there, or stop it",
			bm_strbuf_text(&side->alive));
}

/* One that is heard again lives. One that was stopped, or was made to forget this side, was
 * heard of last a moment ago too: after a minute without a word it is gone. */
static int wait_for_silence(struct side *side, struct bm_error *err)
{
	long before_sec = side->heard_sec;

	if (side->alive.length > 0) {
		tell_wait(side);
	}
	while (side->alive.length > 0) {
		poll(NULL, 0, 1000);
		if (read_users(side, err) != 0) {
			return -1;
		}
		if (side->alive.length > 0 && side->heard_sec < before_sec) {
			return is_alive(side, err);
		}
		before_sec = side->heard_sec;
	}
	return 0;
}

static int look(struct side *side, struct bm_error *err)
{
	struct bm_conninfo words = {0};
	int rc = bm_conninfo_parse(side->text, side->role, &words, err);

	side->traces = rc == 0 ? bm_traces_open(&words, side->role, err) : NULL;
	bm_conninfo_finish(&words);
	if (side->traces == NULL || read_users(side, err) != 0 ||
			wait_for_silence(side, err) != 0) {
		return -1;
	}
	if (side->targets != NULL &&
			bm_traces_others(side->traces, side->targets, &side->others, err) < 0) {
		return -1;
	}
	if (side->users > 1 && side->targets == NULL) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"%s is used by several: nothing was removed. Say which of them "
				"are to go, all or some: bucardo-machine teardown %s --source ... "
				"--destination ...",
				bm_traces_place(side->traces), bm_strbuf_text(&side->names));
	}
	return 0;
}

/* What goes, and who stays. */
static void report_side(const struct side *side)
{
	struct bm_strbuf names = BM_STRBUF_INIT;

	for (size_t i = 0; i < side->call->word_count; i++) {
		bm_strbuf_printf(&names, "%s%s", i > 0 ? " " : "", side->call->words[i]);
	}
	if (side->others.length > 0) {
		struct bm_strbuf others = BM_STRBUF_INIT;
		size_t count = bm_words_names(&others, bm_strbuf_text(&side->others));
		printf("%s %s: what %s has there goes; %s %s.\n", side->role,
				bm_traces_place(side->traces), bm_strbuf_text(&names),
				bm_strbuf_text(&others),
				count == 1 ? "stays and goes on" : "stay and go on");
		bm_strbuf_finish(&others);
	} else {
		printf("%s %s: everything of the machine and of Bucardo goes (%s).\n",
				side->role, bm_traces_place(side->traces),
				side->users > 0 ? bm_strbuf_text(&side->names)
						: "no sync is known");
	}
	if (bm_traces_is_fenced(side->traces)) {
		puts("It has not been cut over: the destination stays as it is now, does "
		     "not follow\nthe source any more, and takes writes of anyone.");
	}
	bm_strbuf_finish(&names);
}

static bool is_agreed(const struct cli_call *call, const struct side *sides, size_t count)
{
	for (size_t i = 0; !call->json && i < count; i++) {
		if (sides[i].traces != NULL) {
			report_side(&sides[i]);
		}
	}
	return cli_confirm(call, "nothing was removed");
}

static void report_failure(struct side *side, const struct bm_error *err)
{
	fprintf(stderr, "bucardo-machine: teardown: %s: %s\n", side->role, err->message);
	side->failed = true;
}

static void remove_all(struct side *side)
{
	struct bm_error err = BM_ERROR_INIT;

	const struct bm_traces_events removing = {.report = on_stuck,
						      .waits = on_wait,
						      .ctx = side},
				      searching = {.report = on_left, .ctx = side};

	if (bm_traces_remove(side->traces, side->targets, &removing, &err) != 0) {
		report_failure(side, &err);
	}
	err = (struct bm_error)BM_ERROR_INIT;
	int left = bm_traces_left(side->traces, side->targets, &searching, &err);
	if (left < 0) {
		report_failure(side, &err);
	} else if (left == 0) {
		cli_teardown_print_clean(side->call, side->role, bm_traces_place(side->traces),
				bm_strbuf_text(&side->others));
	}
	side->failed = side->failed || left != 0;
}

/* Done before, or misspelt: only a person knows. */
static void report_unknown(const struct side *sides, size_t count)
{
	const struct cli_call *call = sides[0].call;

	for (size_t word = 0; word < call->word_count; word++) {
		bool known = false, others = false;
		for (size_t i = 0; i < count; i++) {
			char *list = bm_format(" %s ", bm_strbuf_text(&sides[i].names));
			char *name = bm_format(" %s ", call->words[word]);
			known = known || strstr(list, name) != NULL;
			others = others || sides[i].names.length > 0;
			free(list);
			free(name);
		}
		if (!known && others) {
			fprintf(stderr,
					"bucardo-machine: teardown: nothing is known there of '%s': it was "
					"torn down before, or is called otherwise; what uses these "
					"databases: %s %s\n",
					call->words[word], bm_strbuf_text(&sides[0].names),
					bm_strbuf_text(&sides[count - 1].names));
		}
	}
}

/* A side that cannot be reached does not keep the other from being looked at, or cleaned. */
static int tear_down(struct side *sides, size_t count)
{
	bool refused = false, some = false;

	for (size_t i = 0; i < count; i++) {
		struct bm_error err = BM_ERROR_INIT;
		if (sides[i].text != NULL && look(&sides[i], &err) != 0) {
			report_failure(&sides[i], &err);
			refused = refused || sides[i].traces != NULL;
		}
		some = some || sides[i].traces != NULL;
	}
	report_unknown(sides, count);
	if (refused || !some || !is_agreed(sides[0].call, sides, count)) {
		return CLI_FAILED;
	}
	for (size_t i = 0; i < count; i++) {
		if (sides[i].traces != NULL) {
			remove_all(&sides[i]);
		}
	}
	return sides[0].failed || sides[1].failed ? CLI_FAILED : CLI_OK;
}

static int tear_down_sides(const struct cli_call *call)
{
	const char **targets = bm_alloc((call->word_count + 1) * sizeof(*targets));
	const char *const *names = call->word_count > 0 ? targets : NULL;
	struct side sides[] = {{.role = "source", .text = call->source},
			{.role = "destination", .text = call->destination}};

	for (size_t i = 0; i < BM_COUNT_OF(sides); i++) {
		sides[i].call = call;
		sides[i].targets = names;
	}
	for (size_t i = 0; i < call->word_count; i++) {
		targets[i] = call->words[i];
	}
	int rc = tear_down(sides, BM_COUNT_OF(sides));
	for (size_t i = 0; i < BM_COUNT_OF(sides); i++) {
		bm_traces_close(sides[i].traces);
		bm_strbuf_finish(&sides[i].names);
		bm_strbuf_finish(&sides[i].others);
		bm_strbuf_finish(&sides[i].alive);
	}
	free(targets);
	return rc;
}

int cli_teardown(const struct cli_call *call)
{
	if (call->source != NULL || call->destination != NULL) {
		return tear_down_sides(call);
	}
	return cli_teardown_machine(call);
}
