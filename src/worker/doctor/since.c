/* Findings over time. */
#include "worker/doctor/since.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"

static bool is_same(const json_t *a, const json_t *b)
{
	static const char *const members[] = {"rule", "side", "object"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (!json_equal(json_object_get(a, members[i]),
				    json_object_get(b, members[i]))) {
			return false;
		}
	}
	return true;
}

static const json_t *find(const json_t *list, const json_t *finding)
{
	size_t index;
	const json_t *one;

	json_array_foreach(list, index, one)
	{
		if (is_same(one, finding)) {
			return one;
		}
	}
	return NULL;
}

static const char *text_of(const json_t *finding, const char *member)
{
	const char *text = json_string_value(json_object_get(finding, member));

	return text != NULL ? text : "";
}

static void begin(json_t *finding, const json_t *earlier, const char *now, json_t *news)
{
	const json_t *since = json_object_get(earlier, "since");

	json_object_set_new(finding, "since",
			since != NULL ? json_copy((json_t *)(uintptr_t)since)
				      : json_string(now));
	if (earlier == NULL) {
		json_array_append(news, finding);
	}
}

static void fade(const json_t *earlier, json_t *fading, json_t *news)
{
	json_int_t gone = json_integer_value(json_object_get(earlier, "gone")) + 1;

	if (gone > BM_DOCTOR_FADES) {
		char *text = bm_format("doctor: over: %s on the %s (%s)",
				text_of(earlier, "rule"), text_of(earlier, "side"),
				text_of(earlier, "object"));
		json_array_append_new(news, bm_json_text(text));
		free(text);
		return;
	}
	json_array_append_new(fading,
			json_pack("{s:O, s:O, s:O, s:O, s:I}", "rule",
					json_object_get(earlier, "rule"), "side",
					json_object_get(earlier, "side"), "object",
					json_object_get(earlier, "object"), "since",
					json_object_get(earlier, "since"), "gone", gone));
}

void bm_doctor_since(json_t *findings, const json_t *before, int64_t wall_msec, json_t **fading,
		json_t **news)
{
	const json_t *lists[] = {
			json_object_get(before, "findings"), json_object_get(before, "fading")};
	char now[BM_CLOCK_TEXT_SIZE];
	size_t index;
	json_t *finding;

	*fading = json_array();
	*news = json_array();
	bm_clock_format(wall_msec, now);
	json_array_foreach(findings, index, finding)
	{
		const json_t *earlier = find(lists[0], finding);
		begin(finding, earlier != NULL ? earlier : find(lists[1], finding), now, *news);
	}
	for (size_t i = 0; i < 2; i++) {
		json_array_foreach(lists[i], index, finding)
		{
			if (find(findings, finding) == NULL) {
				fade(finding, *fading, *news);
			}
		}
	}
}
