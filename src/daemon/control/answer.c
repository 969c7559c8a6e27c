/* Answers: what the machine says, as JSON lines. */
#include "daemon/control/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"

/* Append `object` as a line and release it. */
static void put(json_t *object, struct bm_strbuf *out)
{
	char *line = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	bm_strbuf_puts(out, line != NULL ? line : "{\"done\":true,\"ok\":false}");
	bm_strbuf_putc(out, '\n');
	free(line);
}

static json_t *done(void)
{
	return json_pack("{s:b, s:b}", "done", 1, "ok", 1);
}

void bm_control_answer_done(struct bm_strbuf *out)
{
	put(done(), out);
}

void bm_control_answer_refusal(const char *code, const char *message, struct bm_strbuf *out)
{
	json_t *object = json_pack("{s:b, s:b, s:s}", "done", 1, "ok", 0, "code", code);

	json_object_set_new(object, "error", bm_json_text(message));
	put(object, out);
}

void bm_control_answer_event(const struct bm_machine_event *event, struct bm_strbuf *out)
{
	char at[BM_CLOCK_TEXT_SIZE];
	json_t *object = json_pack("{s:I, s:s, s:s}", "id", (json_int_t)event->id, "at",
			bm_clock_format(event->at, at), "level",
			bm_log_level_name(event->level));

	json_object_set_new(object, "subject", bm_json_text(event->subject));
	json_object_set_new(object, "text", bm_json_text(event->text));
	put(json_pack("{s:o}", "event", object), out);
}

/* ---- one function a command ---- */

struct question {
	const struct bm_control_host *host;
	struct bm_machine *machine;
	const struct bm_control_request *request;
	uid_t uid;
};

/* The status is JSON already: it is not parsed again to be put into the answer. */
static void answer_status(const struct question *question, struct bm_strbuf *out)
{
	struct bm_status status = {0};

	question->host->status(question->machine, &status);
	status.is_brief = question->request->brief;
	char *json = bm_status_json(&status);
	if (json == NULL) {
		bm_control_answer_refusal(
				"internal", "the status cannot be written as JSON", out);
		return;
	}
	bm_strbuf_printf(out, "{\"done\":true,\"ok\":true,\"status\":%s}\n", json);
	free(json);
}

static void answer_health(const struct question *question, struct bm_strbuf *out)
{
	const char *why = "";
	bool healthy = !question->request->ready ||
			question->host->is_ready(question->machine, &why);
	json_t *object = done();

	json_object_set_new(object, "healthy", json_boolean(healthy));
	if (!healthy) {
		json_object_set_new(object, "why", bm_json_text(why));
	}
	put(object, out);
}

static void answer_service(const struct question *question, struct bm_strbuf *out)
{
	struct bm_error err = BM_ERROR_INIT;
	char by[32];

	snprintf(by, sizeof(by), "uid %u", (unsigned)question->uid);
	if (question->host->service(question->machine, question->request->verb,
			    question->request->unit, by, &err) != 0) {
		bm_control_answer_refusal(bm_error_code_name(err.code), err.message, out);
		return;
	}
	bm_control_answer_done(out);
}

/* migrate, pause and resume. */
static void answer_migration(const struct question *question, struct bm_strbuf *out)
{
	static const enum bm_migrate_verb verbs[BM_CONTROL_COMMAND_COUNT] = {
			[BM_CONTROL_MIGRATE] = BM_MIGRATE_GO,
			[BM_CONTROL_PAUSE] = BM_MIGRATE_PAUSE,
			[BM_CONTROL_RESUME] = BM_MIGRATE_RESUME,
	};
	const struct bm_control_request *request = question->request;
	struct bm_error err = BM_ERROR_INIT;
	char by[32];

	snprintf(by, sizeof(by), "uid %u", (unsigned)question->uid);
	if (question->host->migrate(question->machine, verbs[request->command],
			    request->migration, request->until, by, &err) != 0) {
		bm_control_answer_refusal(bm_error_code_name(err.code), err.message, out);
		return;
	}
	bm_control_answer_done(out);
}

static void put_request(char *request, const struct bm_error *err, struct bm_strbuf *out)
{
	/* It is JSON already. */
	if (request == NULL) {
		bm_control_answer_refusal(bm_error_code_name(err->code), err->message, out);
		return;
	}
	bm_strbuf_printf(out, "{\"done\":true,\"ok\":true,\"request\":%s}\n", request);
	free(request);
}

static void answer_teardown(const struct question *question, struct bm_strbuf *out)
{
	const struct bm_control_request *request = question->request;
	struct bm_error err = BM_ERROR_INIT;
	char by[32];

	snprintf(by, sizeof(by), "uid %u", (unsigned)question->uid);
	if (request->preview) {
		put_request(question->host->teardown_preview(
					    question->machine, request->migration, &err),
				&err, out);
	} else if (question->host->teardown(question->machine, request->migration,
				   request->without, by, &err) != 0) {
		bm_control_answer_refusal(bm_error_code_name(err.code), err.message, out);
	} else {
		bm_control_answer_done(out);
	}
}

static void answer_begun(uint64_t number, struct bm_strbuf *out)
{
	json_t *object = done();

	json_object_set_new(object, "number", json_integer((json_int_t)number));
	put(object, out);
}

static void answer_cutover(const struct question *question, struct bm_strbuf *out)
{
	const struct bm_control_request *request = question->request;
	struct bm_change change = request->change;
	struct bm_error err = BM_ERROR_INIT;
	uint64_t number;
	char by[32];

	change.accept = request->accept;
	snprintf(by, sizeof(by), "uid %u", (unsigned)question->uid);
	if (request->check) {
		put_request(question->host->change_check(question->machine, request->migration,
					    &change, &err),
				&err, out);
	} else if (question->host->change(question->machine, request->migration, &change, by,
				   &number, &err) != 0) {
		bm_control_answer_refusal(bm_error_code_name(err.code), err.message, out);
	} else {
		answer_begun(number, out);
	}
}

static void answer_doctor(const struct question *question, struct bm_strbuf *out)
{
	struct bm_error err = BM_ERROR_INIT;
	char *request = question->host->doctor(
			question->machine, question->request->migration, &err);

	put_request(request, &err, out);
}

static void answer_notified(const struct question *question, struct bm_strbuf *out)
{
	question->host->notified(question->machine, question->request->receivers,
			question->request->receiver_count);
	bm_control_answer_done(out);
}

static void answer_plan(const struct question *question, struct bm_strbuf *out)
{
	const struct bm_control_request *request = question->request;
	struct bm_error err = BM_ERROR_INIT;
	char *preflight = question->host->plan(
			question->machine, request->migration, request->fix, &err);

	put_request(preflight, &err, out);
}

static void answer_config_reload(const struct question *question, struct bm_strbuf *out)
{
	struct bm_strbuf errors = BM_STRBUF_INIT, message = BM_STRBUF_INIT;

	if (question->host->reload(question->machine, &errors) == 0) {
		bm_control_answer_done(out);
	} else {
		bm_strbuf_printf(&message,
				"the configuration was refused, the one before stays in force:\n%s",
				bm_strbuf_text(&errors));
		bm_control_answer_refusal("config", bm_strbuf_text(&message), out);
	}
	bm_strbuf_finish(&message);
	bm_strbuf_finish(&errors);
}

static void answer_config_show(const struct question *question, struct bm_strbuf *out)
{
	struct bm_strbuf yaml = BM_STRBUF_INIT;
	json_t *object = done();

	question->host->show_config(question->machine, &yaml);
	json_object_set_new(object, "text", bm_json_text(bm_strbuf_text(&yaml)));
	put(object, out);
	bm_strbuf_finish(&yaml);
}

static void answer_version(const struct question *question, struct bm_strbuf *out)
{
	json_t *object = done();

	(void)question;
	json_object_set_new(object, "version", json_string(BM_VERSION));
	put(object, out);
}

void bm_control_answer(const struct bm_control_host *host, struct bm_machine *machine,
		const struct bm_control_request *request, uid_t uid, struct bm_strbuf *out)
{
	static void (*const answers[BM_CONTROL_COMMAND_COUNT])(
			const struct question *question, struct bm_strbuf *out) = {
			[BM_CONTROL_CONFIG_RELOAD] = answer_config_reload,
			[BM_CONTROL_CONFIG_SHOW] = answer_config_show,
			[BM_CONTROL_CUTOVER] = answer_cutover,
			[BM_CONTROL_DOCTOR] = answer_doctor,
			[BM_CONTROL_HEALTH] = answer_health,
			[BM_CONTROL_MIGRATE] = answer_migration,
			[BM_CONTROL_NOTIFIED] = answer_notified,
			[BM_CONTROL_PAUSE] = answer_migration,
			[BM_CONTROL_PLAN] = answer_plan,
			[BM_CONTROL_RESUME] = answer_migration,
			[BM_CONTROL_SERVICE] = answer_service,
			[BM_CONTROL_STATUS] = answer_status,
			[BM_CONTROL_TEARDOWN] = answer_teardown,
			[BM_CONTROL_VERSION] = answer_version,
	};
	struct question question = {host, machine, request, uid};

	answers[request->command](&question, out);
}
