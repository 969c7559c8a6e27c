/* Reading the status as it comes from the daemon. */
#include "client/http/http_status.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bucardo_machine/macros.h"

bool http_status_number(const json_t *object, const char *member, double *out)
{
	const json_t *value = json_object_get(object, member);

	*out = json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
	return json_is_number(value) || json_is_boolean(value);
}

bool http_status_is(const json_t *object, const char *member, const char *text)
{
	const char *value = json_string_value(json_object_get(object, member));

	return value != NULL && strcmp(value, text) == 0;
}

bool http_status_moment(const json_t *object, const char *member, double *out)
{
	const char *text = json_string_value(json_object_get(object, member));
	struct tm parts = {0};
	const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;

	*out = rest != NULL ? (double)timegm(&parts) : 0;
	return rest != NULL;
}

json_t *http_status_migration(const json_t *status, const char *name)
{
	size_t index;
	json_t *migration;

	json_array_foreach(json_object_get(status, "migrations"), index, migration)
	{
		if (http_status_is(migration, "name", name)) {
			return migration;
		}
	}
	return NULL;
}

/* ---- the ETag: FNV-1a of all that counts ---- */

static const char *const volatile_members[] = {"time", "uptime_msec", "age_msec",
		"good_age_msec", "bad_age_msec", "retry_in_msec", "longest_iteration_usec",
		"got_percent", "waited_percent", "throttled_percent", "stolen_percent",
		"pressure_percent", "late_msec"};

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < length; i++) {
		hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
	}
	return hash;
}

static bool is_volatile(const char *member)
{
	for (size_t i = 0; i < BM_COUNT_OF(volatile_members); i++) {
		if (strcmp(volatile_members[i], member) == 0) {
			return true;
		}
	}
	return false;
}

static uint64_t hash_scalar(uint64_t hash, const json_t *value)
{
	json_int_t integer = json_integer_value(value);
	double real = json_real_value(value);
	int type = json_typeof(value);

	hash = hash_bytes(hash, &type, sizeof(type));
	hash = hash_bytes(hash, &integer, sizeof(integer));
	hash = hash_bytes(hash, &real, sizeof(real));
	return hash_bytes(hash, json_string_value(value), json_string_length(value));
}

/* The daemon builds each object in the same order, which jansson keeps. */
static uint64_t hash_value(uint64_t hash, const json_t *value)
{
	const char *member;
	json_t *inner;
	size_t index;

	hash = hash_scalar(hash, value);
	json_object_foreach((json_t *)(uintptr_t)value, member, inner)
	{
		if (!is_volatile(member)) {
			hash = hash_bytes(hash, member, strlen(member) + 1);
			hash = hash_value(hash, inner);
		}
	}
	json_array_foreach(value, index, inner)
	{
		hash = hash_value(hash, inner);
	}
	return hash_bytes(hash, "]", 1);
}

/* ---- findings ---- */

static json_t *find_alike(const json_t *list, const json_t *finding)
{
	static const char *const members[] = {"rule", "severity", "side"};
	size_t index, same;
	json_t *one;

	json_array_foreach(list, index, one)
	{
		for (same = 0; same < 3; same++) {
			if (!json_equal(json_object_get(one, members[same]),
					    json_object_get(finding, members[same]))) {
				break;
			}
		}
		if (same == 3) {
			return one;
		}
	}
	one = json_pack("{s:O, s:O, s:O, s:i}", "rule", json_object_get(finding, "rule"),
			"severity", json_object_get(finding, "severity"), "side",
			json_object_get(finding, "side"), "count", 0);
	return one != NULL && json_array_append_new((json_t *)(uintptr_t)list, one) == 0 ? one
											 : NULL;
}

json_t *http_status_counted(const json_t *findings)
{
	json_t *list = json_array();
	size_t index;
	const json_t *finding;

	json_array_foreach(findings, index, finding)
	{
		json_t *one = find_alike(list, finding);
		json_int_t more = json_integer_value(json_object_get(finding, "more"));
		json_int_t count = json_integer_value(json_object_get(one, "count"));
		json_object_set_new(one, "count", json_integer(count + 1 + more));
	}
	return list;
}

/* ---- ETag ---- */

void http_status_etag(const json_t *page, char *out)
{
	snprintf(out, 32, "W/\"%016" PRIx64 "\"",
			hash_value(UINT64_C(14695981039346656037), page));
}
