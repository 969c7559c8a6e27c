/* One struct a receiver, one job at a time for each. */
#include "client/notify/notify_receivers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/job.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/spawn.h"
#include "client/notify/notify_changes.h"
#include "client/notify/notify_states.h"

#define AGAIN_FIRST_MSEC 5000
#define AGAIN_MOST_MSEC ((uint64_t)10 * 60 * 1000)
#define FILE_BYTES ((size_t)8 * 1024 * 1024)

/* A webhook's own limit comes first, and says more. */
#define GRACE_MSEC 1000

struct receiver {
	struct notify_receivers *all;
	const json_t *definition;
	const char *name;
	json_t *told;
	struct bm_job *job;    /* NULL: none is under way */
	json_t *under_way;     /* the changes that it tells; NULL: it is a test */
	uint64_t next_msec;    /* not before */
	unsigned failures;     /* in a row */
	int64_t delivered_at;  /* by the wall clock; 0 never */
	int64_t failing_since; /* alike, of the first failure in a row; 0 none */
	char why[300];	       /* the last failure */
	notify_tested *tested;
	void *ctx;
};

struct notify_receivers {
	struct bm_loop *loop;
	json_t *definition;
	char *path;
	char host[256];
	bool is_full; /* what was told could not be kept */
	struct notify_settled settled;
	struct receiver *list;
	size_t count;
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* ---- what is kept ---- */

/* An unreadable file is as none: then what is wrong is told once more. */
static json_t *load(const char *path)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct bm_error ignored = BM_ERROR_INIT;
	json_t *kept = NULL;

	if (bm_file_exists(path) && bm_file_load(path, FILE_BYTES, &text, &ignored) == 0) {
		kept = json_loadb(text.text, text.length, 0, NULL);
	}
	bm_strbuf_finish(&text);
	return kept != NULL ? kept : json_object();
}

static void take_kept(struct receiver *one, const json_t *kept)
{
	const json_t *mine = json_object_get(kept, one->name);
	json_t *told = json_object_get(mine, "told");

	one->told = json_is_object(told) ? json_deep_copy(told) : json_object();
	one->delivered_at = (int64_t)number_of(mine, "delivered_at");
	one->failing_since = (int64_t)number_of(mine, "failing_since");
	one->failures = (unsigned)number_of(mine, "failures");
	bm_text_copy(one->why, sizeof(one->why), text_of(mine, "why"));
}

static void save(struct notify_receivers *receivers)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *all = json_object();

	for (size_t i = 0; i < receivers->count; i++) {
		const struct receiver *one = &receivers->list[i];
		json_object_set_new(all, one->name,
				json_pack("{s:I, s:I, s:I, s:o, s:O}", "delivered_at",
						(json_int_t)one->delivered_at, "failing_since",
						(json_int_t)one->failing_since, "failures",
						(json_int_t)one->failures, "why",
						bm_json_text(one->why), "told", one->told));
	}
	char *text = json_dumps(all, JSON_COMPACT);
	int rc = bm_file_replace(receivers->path, text, strlen(text), 0600, &err);
	if (rc != 0 && !receivers->is_full) {
		fprintf(stderr,
				"cannot keep what was told, and will tell it again after a restart: "
				"%s\n",
				err.message);
	}
	receivers->is_full = rc != 0;
	free(text);
	json_decref(all);
}

/* ---- a delivery ---- */

static uint64_t again_after(unsigned failures)
{
	uint64_t msec = AGAIN_FIRST_MSEC;

	for (unsigned i = 1; i < failures && msec < AGAIN_MOST_MSEC; i++) {
		msec *= 2;
	}
	return msec < AGAIN_MOST_MSEC ? msec : AGAIN_MOST_MSEC;
}

/* What it printed last, in one line, or how it ended. */
static void explain(struct receiver *one, const struct bm_job_result *result)
{
	char how[BM_EXIT_TEXT_SIZE];
	const char *tail = result->tail;

	if (result->error.code != BM_ERR_NONE) {
		bm_text_copy(one->why, sizeof(one->why), result->error.message);
		return;
	}
	bm_exit_text(result->status, how);
	for (const char *line = strchr(tail, '\n'); line != NULL && line[1] != '\0';
			line = strchr(tail, '\n')) {
		tail = line + 1;
	}
	/* Of our own process for a webhook the code says nothing. */
	bool is_own = json_object_get(one->definition, "command") == NULL && tail[0] != '\0';
	snprintf(one->why, sizeof(one->why), "%s%s%.*s", is_own ? "" : how,
			!is_own && tail[0] != '\0' ? ": " : "", (int)strcspn(tail, "\n"), tail);
}

/* The first failure, and then fewer and fewer of them. */
static void report(const struct receiver *one)
{
	if ((one->failures & (one->failures - 1)) == 0) {
		char span[BM_CLOCK_TEXT_SIZE];
		fprintf(stderr, "'%s' was not told, %u time%s in a row: %s; tried again in %s\n",
				one->name, one->failures, one->failures == 1 ? "" : "s",
				one->why,
				bm_clock_format_span(again_after(one->failures), span));
	}
}

static void settle_delivery(struct receiver *one, bool is_done)
{
	uint64_t now = bm_clock_msec();

	if (is_done) {
		if (one->failures > 0) {
			fprintf(stderr, "'%s' was told again\n", one->name);
		}
		notify_told(one->told, one->under_way);
		one->failures = 0;
		one->failing_since = 0;
		one->why[0] = '\0';
		one->delivered_at = bm_clock_wall_msec();
		one->next_msec = now + number_of(one->definition, "interval_msec");
	} else {
		if (one->failures++ == 0) {
			one->failing_since = bm_clock_wall_msec();
		}
		one->next_msec = now + again_after(one->failures);
		report(one);
	}
	save(one->all);
}

static void on_delivered(void *ctx, const struct bm_job_result *result)
{
	struct receiver *one = ctx;
	bool is_done = result->error.code == BM_ERR_NONE && WIFEXITED(result->status) &&
			WEXITSTATUS(result->status) == 0;

	one->job = NULL;
	if (!is_done) {
		explain(one, result);
	}
	if (one->under_way != NULL) {
		settle_delivery(one, is_done);
		json_decref(one->under_way);
		one->under_way = NULL;
	} else {
		one->tested(one->ctx, one->name, result->elapsed_msec, is_done ? "" : one->why);
	}
}

static char *variable(const char *name, const json_t *value)
{
	char *text = json_is_string(value) ? bm_strdup(json_string_value(value))
					   : json_dumps(value, JSON_COMPACT);
	char *pair = bm_format("%s=%s", name, text);

	free(text);
	return pair;
}

static const char **words_of(const json_t *command)
{
	const char **words = bm_alloc((json_array_size(command) + 1) * sizeof(*words));
	size_t index;
	const json_t *word;

	json_array_foreach(command, index, word)
	{
		words[index] = json_string_value(word);
	}
	return words;
}

static void start(struct receiver *one, const json_t *message)
{
	static const char *const post[] = {"/proc/self/exe", "worker", "notify", "post", NULL};
	const json_t *command = json_object_get(one->definition, "command");
	const char **words = words_of(command);
	char *whole = variable(NOTIFY_MESSAGE, message);
	char *text = variable(NOTIFY_TEXT, json_object_get(message, "text"));
	char *receiver = variable(NOTIFY_RECEIVER, one->definition);
	const char *const env[] = {whole, text, command == NULL ? receiver : NULL, NULL};

	one->job = bm_job_start(one->all->loop, one->name, command != NULL ? words : post, env,
			NULL, number_of(one->definition, "timeout_msec") + GRACE_MSEC,
			on_delivered, one);
	free(words);
	free(whole);
	free(text);
	free(receiver);
}

static json_t *message_of(const struct notify_receivers *receivers, json_t *changes, int ready)
{
	char time[BM_CLOCK_TEXT_SIZE];

	return notify_message(changes, receivers->host,
			bm_clock_format(bm_clock_wall_msec(), time), ready);
}

/* ---- all of them ---- */

/* Whether what it was told has changed without a message. */
static bool tell(struct receiver *one, int ready)
{
	bool put = false;
	json_t *changes = notify_pending(one->told, one->all->settled.states,
			notify_level_of(text_of(one->definition, "least")), &put);

	if (json_array_size(changes) > 0) {
		json_t *message = message_of(one->all, changes, ready);
		one->under_way = json_incref(changes);
		notify_sent(one->told, changes);
		save(one->all); /* a kill leaves the doubt */
		start(one, message);
		json_decref(message);
	}
	json_decref(changes);
	return put;
}

void notify_receivers_tell(struct notify_receivers *receivers, const json_t *states, int ready)
{
	uint64_t now = bm_clock_msec();
	bool put = false;

	notify_settle(&receivers->settled, states, now,
			number_of(receivers->definition, "settle_msec"));
	for (size_t i = 0; i < receivers->count; i++) {
		struct receiver *one = &receivers->list[i];
		if (one->job == NULL && now >= one->next_msec) {
			put |= tell(one, ready);
		}
	}
	if (put) {
		save(receivers);
	}
}

size_t notify_receivers_test(struct notify_receivers *receivers, const char *name,
		notify_tested *done, void *ctx)
{
	json_t *nothing = json_array(), *message = message_of(receivers, nothing, -1);
	size_t asked = 0;

	for (size_t i = 0; i < receivers->count; i++) {
		struct receiver *one = &receivers->list[i];
		if (name == NULL || strcmp(name, one->name) == 0) {
			one->tested = done;
			one->ctx = ctx;
			start(one, message);
			asked++;
		}
	}
	json_decref(message);
	json_decref(nothing);
	return asked;
}

static json_t *moment(int64_t wall_msec)
{
	char text[BM_CLOCK_TEXT_SIZE];

	return wall_msec == 0 ? json_null() : json_string(bm_clock_format(wall_msec, text));
}

json_t *notify_receivers_list(const struct notify_receivers *receivers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < receivers->count; i++) {
		const struct receiver *one = &receivers->list[i];
		bool is_command = json_object_get(one->definition, "command") != NULL;
		json_array_append_new(list,
				json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:o}", "name",
						one->name, "kind",
						is_command ? "command" : "webhook", "least",
						text_of(one->definition, "least"),
						"delivered_at", moment(one->delivered_at),
						"failing_since", moment(one->failing_since),
						"failures", (json_int_t)one->failures, "why",
						bm_json_text(one->why)));
	}
	return list;
}

static void make_list(struct notify_receivers *receivers)
{
	const json_t *list = json_object_get(receivers->definition, "receivers");
	json_t *kept = load(receivers->path);

	receivers->count = json_array_size(list);
	receivers->list = bm_alloc((receivers->count + 1) * sizeof(*receivers->list));
	for (size_t i = 0; i < receivers->count; i++) {
		struct receiver *one = &receivers->list[i];
		*one = (struct receiver){
				.all = receivers, .definition = json_array_get(list, i)};
		one->name = text_of(one->definition, "name");
		take_kept(one, kept);
	}
	json_decref(kept);
}

/* A program that prints without end would fill the pod's log: its last line is told when it
 * fails. What we have to say ourselves goes to stderr. */
static void silence_the_log(void)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (nowhere >= 0) {
		bm_log_open(nowhere, BM_LOG_TEXT, true);
	}
}

struct notify_receivers *notify_receivers_create(struct bm_loop *loop, const char *text,
		const char *volume, struct bm_error *err)
{
	json_t *definition = json_loads(text, 0, NULL);

	if (!json_is_array(json_object_get(definition, "receivers"))) {
		json_decref(definition);
		bm_error_set(err, BM_ERR_CONFIG,
				"its receivers are not what the machine writes");
		return NULL;
	}
	struct notify_receivers *receivers = bm_alloc(sizeof(*receivers));
	*receivers = (struct notify_receivers){.loop = loop,
			.definition = definition,
			.path = bm_format("%s/" NOTIFY_FILE, volume)};
	if (gethostname(receivers->host, sizeof(receivers->host) - 1) != 0) {
		bm_text_copy(receivers->host, sizeof(receivers->host), "unknown");
	}
	make_list(receivers);
	silence_the_log();
	notify_settled_init(&receivers->settled);
	for (size_t i = 0; i < receivers->count; i++) {
		json_object_update_missing(receivers->settled.states, receivers->list[i].told);
	}
	return receivers;
}

void notify_receivers_destroy(struct notify_receivers *receivers)
{
	if (receivers == NULL) {
		return;
	}
	for (size_t i = 0; i < receivers->count; i++) {
		bm_job_cancel(receivers->list[i].job);
		json_decref(receivers->list[i].under_way);
		json_decref(receivers->list[i].told);
	}
	notify_settled_finish(&receivers->settled);
	json_decref(receivers->definition);
	free(receivers->path);
	free(receivers->list);
	free(receivers);
}
