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
#include "bucardo_machine/macros.h"

/* Longer texts are cut: a line has at most 1 MiB. */
#define TEXT_BYTES 4000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t reached; /* by the last progress line */

const char *bm_grade_name(enum bm_grade grade)
{
	static const char *const names[] = {
			[BM_GRADE_NOTE] = "note",
			[BM_GRADE_DEGRADES] = "degrades",
			[BM_GRADE_STOPS] = "stops",
	};

	return names[grade];
}

/* Sends and takes over `line`. Whoever does not listen does not want the work. */
static void send(json_t *line, const char *event)
{
	json_object_set_new(line, "v", json_integer(1));
	json_object_set_new(line, "event", json_string(event));
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
	send(line, "progress");
}

void bm_report_progress(uint64_t done, uint64_t total, const char *unit, const char *text)
{
	bm_report_progress_with(done, total, unit, text, json_object());
}

static void send_finding(enum bm_grade grade, const char *object, const char *why,
		const char *mend, bool safe)
{
	json_t *line = json_object();

	json_object_set_new(line, "severity", json_string(bm_grade_name(grade)));
	put_text(line, "object", object);
	put_text(line, "why", why);
	put_text(line, "mend", mend);
	json_object_set_new(line, "safe", json_boolean(safe));
	send(line, "finding");
}

void bm_report_finding(
		enum bm_grade grade, const char *object, const char *why, const char *mend)
{
	send_finding(grade, object, why, mend, false);
}

void bm_report_safe_finding(
		enum bm_grade grade, const char *object, const char *why, const char *mend)
{
	send_finding(grade, object, why, mend, true);
}

void bm_report_plan(json_t *plan)
{
	json_t *line = json_object();

	json_object_set_new(line, "plan", plan);
	send(line, "plan");
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
	send(line, "note");
}

void bm_report_alive(void)
{
	send(json_object(), "alive");
}

void bm_report_done(json_t *evidence)
{
	json_t *line = json_object();

	json_object_set_new(line, "evidence", evidence);
	send(line, "done");
}

void bm_report_tended(json_t *evidence)
{
	json_t *line = json_object();

	json_object_set_new(line, "evidence", evidence);
	send(line, "tended");
}

/* What a server refused: most of it does not go away by itself. */
static const char *class_of_sqlstate(const char *sqlstate)
{
	static const char *const passing[] = {
			"08",	 /* connection */
			"25006", /* a read-only server: a failover is under way */
			"40",	 /* rolled back: serialisation, deadlock */
			"53",	 /* out of resources */
			"55006", /* in use */
			"55P03", /* lock not available */
			"57",	 /* operator intervention, cancelled */
			"58",	 /* system error */
	};

	if (strcmp(sqlstate, "53100") == 0) {
		return "operator"; /* a full disk: of the resources the one that a person gives
				    */
	}
	for (size_t i = 0; i < BM_COUNT_OF(passing); i++) {
		if (strncmp(sqlstate, passing[i], strlen(passing[i])) == 0) {
			return "transient";
		}
	}
	return "operator";
}

/*
 * Two sessions that made or changed the same thing of ours at a time, as two migrations of one
 * source do: of all "internal errors" of a server the one that is none; a key of a catalog that
 * is taken; and the type of a table, which IF NOT EXISTS does not look for. Bucardo's functions
 * in Perl pass on what another server told them as 38000, whatever it was.
 */
static bool is_catalog_race(const struct bm_error *err)
{
	static const struct {
		const char *sqlstate, *words;
	} races[] = {
			{"XX000", "tuple concurrently "},
			{"23505", "unique constraint \"pg_"},
			{"42710", " type \"delta_"},
			{"42710", " type \"track_"},
			{"42710", " type \"stage_"},
			{"42710", " type \"machine_"},
			{"42710", " type \"bucardo_"},
			{"38000", "tuple concurrently "},
			{"38000", "unique constraint \"pg_"},
			{"38000", "deadlock detected"},
			{"38000", "due to lock timeout"},
			{"38000", "DBI connect("},
	};

	for (size_t i = 0; i < BM_COUNT_OF(races); i++) {
		if (strcmp(err->sqlstate, races[i].sqlstate) == 0 &&
				strstr(err->message, races[i].words) != NULL) {
			return true;
		}
	}
	return false;
}

const char *bm_report_class(const struct bm_error *err)
{
	switch (err->code) {
	case BM_ERR_SQL:
		return is_catalog_race(err) ? "transient" : class_of_sqlstate(err->sqlstate);
	case BM_ERR_CONFIG:
	case BM_ERR_PRECONDITION:
		return "operator";
	case BM_ERR_INTERNAL:
		return "internal";
	default:
		return "transient";
	}
}

void bm_report_failed(const struct bm_error *err, const char *mend)
{
	json_t *line = json_object();

	json_object_set_new(line, "class", json_string(bm_report_class(err)));
	put_text(line, "message", err->message);
	put_text(line, "mend", mend);
	send(line, "failed");
}
