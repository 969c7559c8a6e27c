/* One object a receiver. */
#include "bucardo_machine/receivers.h"

#include <jansson.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/strbuf.h"

static void put(json_t *object, const char *name, const char *text)
{
	if (text != NULL) {
		json_object_set_new(object, name, bm_json_text(text));
	}
}

static json_t *encode(const struct bm_config_receiver *one)
{
	json_t *object = json_pack("{s:s, s:s, s:I, s:I}", "name", one->name, "least",
			bm_log_level_name(one->least), "timeout_msec",
			(json_int_t)one->timeout_msec, "interval_msec",
			(json_int_t)one->interval_msec);

	put(object, "url", one->url);
	put(object, "url_file", one->url_file);
	put(object, "token_file", one->token_file);
	put(object, "ca_file", one->ca_file);
	if (one->command != NULL) {
		json_t *words = json_array();
		for (size_t i = 0; one->command[i] != NULL; i++) {
			json_array_append_new(words, bm_json_text(one->command[i]));
		}
		json_object_set_new(object, "command", words);
	}
	return object;
}

char *bm_receivers_text(const struct bm_config *config)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->receiver_count; i++) {
		json_array_append_new(list, encode(&config->receivers[i]));
	}
	json_t *whole = json_pack("{s:I, s:o}", "settle_msec",
			(json_int_t)config->notify_settle_msec, "receivers", list);
	char *text = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	return text;
}

/* ---- how each stands ---- */

/* A member that is a text which fits, or null; false: it is something else. */
static bool take(const json_t *one, const char *member, char *out, size_t size)
{
	const json_t *value = json_object_get(one, member);
	const char *text = json_string_value(value);

	bm_text_copy(out, size, text != NULL ? text : "");
	return text != NULL || value == NULL || json_is_null(value);
}

#define TAKE(member) take(one, #member, out->member, sizeof(out->member))

static bool read_report(const json_t *one, struct bm_receiver_report *out)
{
	json_int_t failures = json_integer_value(json_object_get(one, "failures"));

	*out = (struct bm_receiver_report){.failures = (unsigned)failures};
	return TAKE(name) && TAKE(kind) && TAKE(delivered_at) && TAKE(failing_since) &&
			TAKE(why) && out->name[0] != '\0' && failures >= 0 &&
			failures <= INT32_MAX;
}

int bm_receiver_reports_read(const json_t *list, struct bm_receiver_report *out, size_t *count,
		struct bm_error *err)
{
	size_t index;
	const json_t *one;

	*count = 0;
	if (!json_is_array(list) || json_array_size(list) > BM_RECEIVERS_MOST) {
		return bm_error_set(err, BM_ERR_CONFIG, "'receivers' is a list, of %d at most",
				BM_RECEIVERS_MOST);
	}
	json_array_foreach(list, index, one)
	{
		if (!read_report(one, &out[index])) {
			return bm_error_set(err, BM_ERR_CONFIG,
					"'receivers' has objects with name, kind, delivered_at, "
					"failing_since, failures and why");
		}
	}
	*count = index;
	return 0;
}

/* A moment that never was is null. */
static json_t *moment(const char *text)
{
	return text[0] != '\0' ? bm_json_text(text) : json_null();
}

json_t *bm_receiver_reports_json(const struct bm_receiver_report *reports, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct bm_receiver_report *one = &reports[i];
		json_array_append_new(list,
				json_pack("{s:o, s:o, s:o, s:o, s:I, s:o}", "name",
						bm_json_text(one->name), "kind",
						bm_json_text(one->kind), "delivered_at",
						moment(one->delivered_at), "failing_since",
						moment(one->failing_since), "failures",
						(json_int_t)one->failures, "why",
						bm_json_text(one->why)));
	}
	return list;
}
