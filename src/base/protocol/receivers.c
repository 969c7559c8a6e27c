/* One object a receiver. */
#include "bucardo_machine/receivers.h"

#include <jansson.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/log.h"

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
