/* One look: facts, findings, since when. */
#include "worker/doctor/doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/protocol/report.h"
#include "bucardo_machine/clock.h"
#include "worker/doctor/evaluate.h"
#include "worker/doctor/facts.h"
#include "worker/doctor/since.h"

/* Nothing here may hold anybody up. */
static const char limits_sql[] = "SELECT set_config('lock_timeout', '300ms', false),"
				 " set_config('statement_timeout', '3s', false)";
#define ASK_LIMIT_MSEC 5000

/* Facts that nobody could ask, by side and reason: one object for all of the same. */
static json_t *not_looked_at(const json_t *unknown)
{
	json_t *list = json_array();
	size_t index, k;
	const json_t *one;
	json_t *entry;

	json_array_foreach(unknown, index, one)
	{
		json_t *found = NULL;
		json_array_foreach(list, k, entry)
		{
			if (json_equal(json_object_get(entry, "side"),
					    json_object_get(one, "side")) &&
					json_equal(json_object_get(entry, "why"),
							json_object_get(one, "why"))) {
				found = entry;
			}
		}
		if (found != NULL) {
			json_array_append(json_object_get(found, "facts"),
					json_object_get(one, "fact"));
			continue;
		}
		json_array_append_new(list,
				json_pack("{s:O, s:O, s:[O]}", "side",
						json_object_get(one, "side"), "why",
						json_object_get(one, "why"), "facts",
						json_object_get(one, "fact")));
	}
	return list;
}

static const char *text_of(const json_t *finding, const char *member)
{
	return json_string_value(json_object_get(finding, member));
}

static void tell_one(const json_t *news)
{
	const char *severity = text_of(news, "severity");
	char object[160];

	if (json_is_string(news)) {
		bm_report_note("%s", json_string_value(news));
		return;
	}
	snprintf(object, sizeof(object), "doctor: %s on the %s", text_of(news, "rule"),
			text_of(news, "side"));
	if (strcmp(severity, bm_severity_name(BM_SEVERITY_NOTE)) == 0) {
		bm_report_note("%s: %s; %s", object, text_of(news, "cause"),
				text_of(news, "hint"));
	} else {
		bm_report_finding(strcmp(severity, bm_severity_name(BM_SEVERITY_STOPS)) == 0
						? BM_SEVERITY_STOPS
						: BM_SEVERITY_DEGRADES,
				object, text_of(news, "cause"), text_of(news, "hint"));
	}
}

static void tell(const json_t *news)
{
	size_t index;
	const json_t *one;

	json_array_foreach(news, index, one)
	{
		tell_one(one);
	}
}

int bm_doctor_run(struct bm_phase *phase, struct bm_error *err)
{
	const json_t *before = json_object_get(phase->request.root, "before");
	json_t *fading, *news;

	(void)err;
	phase->limits_sql = limits_sql;
	phase->limit_msec = ASK_LIMIT_MSEC;
	json_t *facts = bm_doctor_gather(phase);
	json_t *findings = bm_doctor_evaluate(facts, phase->request.name);
	bm_doctor_since(findings, before, bm_clock_wall_msec(), &fading, &news);
	tell(news);
	json_object_set_new(phase->evidence, "findings", findings);
	json_object_set_new(phase->evidence, "fading", fading);
	json_object_set_new(phase->evidence, "not_looked_at",
			not_looked_at(json_object_get(facts, "unknown")));
	json_decref(facts);
	json_decref(news);
	return 0;
}
