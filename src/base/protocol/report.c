/* Lines to the parent. */
#include "base/protocol/report.h"

#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/json.h"

/* Longer texts are cut: a line has at most 1 MiB. */
#define TEXT_BYTES 4000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t reached; /* by the last progress line */

/* Sends and takes over `line`. Whoever does not listen does not want the work. */
static void send(json_t *line, enum bm_phase_event event)
{
	json_object_set_new(line, "v", json_integer(1));
	json_object_set_new(line, "event", json_string(bm_phase_event_name(event)));
	char *text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	pthread_mutex_lock(&lock);
	if (text == NULL || puts(text) < 0 || fflush(stdout) != 0) {
		_exit(1);
	}
	pthread_mutex_unlock(&lock);
	free(text);
}

static void put_text(json_t *line, const char *key, const char *text)
{
	char cut[TEXT_BYTES];

	snprintf(cut, sizeof(cut), "%s", text);
	json_object_set_new(line, key, bm_json_text(cut));
}

void bm_report_progress_with(
		uint64_t done, uint64_t total, const char *unit, const char *text, json_t *line)
{
	pthread_mutex_lock(&lock);
	reached = done > reached ? done : reached;
	json_object_set_new(line, "done", json_integer((json_int_t)reached));
	pthread_mutex_unlock(&lock);
	json_object_set_new(line, "total", json_integer((json_int_t)total));
	json_object_set_new(line, "unit", json_string(unit));
	put_text(line, "text", text);
	send(line, BM_PHASE_EVENT_PROGRESS);
}

void bm_report_progress(uint64_t done, uint64_t total, const char *unit, const char *text)
{
	bm_report_progress_with(done, total, unit, text, json_object());
}

static void send_finding(enum bm_severity severity, const char *object, const char *why,
		const char *hint, bool safe)
{
	json_t *line = json_object();

	json_object_set_new(line, "severity", json_string(bm_severity_name(severity)));
	put_text(line, "object", object);
	put_text(line, "why", why);
	put_text(line, "hint", hint);
	json_object_set_new(line, "safe", json_boolean(safe));
	send(line, BM_PHASE_EVENT_FINDING);
}

void bm_report_finding(enum bm_severity severity, const char *object, const char *why,
		const char *hint)
{
	send_finding(severity, object, why, hint, false);
}

void bm_report_safe_finding(enum bm_severity severity, const char *object, const char *why,
		const char *hint)
{
	send_finding(severity, object, why, hint, true);
}

void bm_report_plan(json_t *plan)
{
	json_t *line = json_object();

	json_object_set_new(line, "plan", plan);
	send(line, BM_PHASE_EVENT_PLAN);
}

void bm_report_note(const char *format, ...)
{
	char text[TEXT_BYTES];
	json_t *line = json_object();
	va_list args;

	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length >= (int)sizeof(text)) {
		memcpy(text + sizeof(text) - sizeof("..."), "...", sizeof("..."));
	}
	put_text(line, "text", text);
	send(line, BM_PHASE_EVENT_NOTE);
}

void bm_report_alive(void)
{
	send(json_object(), BM_PHASE_EVENT_ALIVE);
}

void bm_report_done(json_t *evidence)
{
	json_t *line = json_object();

	json_object_set_new(line, "evidence", evidence);
	send(line, BM_PHASE_EVENT_DONE);
}

void bm_report_reconciled(json_t *evidence)
{
	json_t *line = json_object();

	json_object_set_new(line, "evidence", evidence);
	send(line, BM_PHASE_EVENT_RECONCILED);
}

void bm_report_failed(enum bm_failure failure, const struct bm_error *err, const char *hint,
		json_t *evidence)
{
	json_t *line = json_object();

	if (json_object_size(evidence) > 0) {
		json_object_set(line, "evidence", evidence);
	}
	json_decref(evidence);

	json_object_set_new(line, "class", json_string(bm_failure_name(failure)));
	put_text(line, "message", err->message);
	put_text(line, "hint", hint);
	send(line, BM_PHASE_EVENT_FAILED);
}
