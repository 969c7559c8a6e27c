/* The hooks of a cut-over, for its worker. What can be left out is left out. */
#include <jansson.h>
#include <string.h>

#include "bucardo_machine/json.h"
#include "daemon/migrate/engine.h"

static void put_words(json_t *hook, const char *name, const char *const *words)
{
	json_t *list = words != NULL ? json_array() : NULL;

	for (size_t i = 0; list != NULL && words[i] != NULL; i++) {
		json_array_append_new(list, bm_json_text(words[i]));
	}
	if (list != NULL) {
		json_object_set_new(hook, name, list);
	}
}

static void put_pairs(json_t *hook, const char *name, const char *const *pairs)
{
	json_t *object = json_object();

	for (size_t i = 0; pairs[i] != NULL; i++) {
		const char *equals = strchr(pairs[i], '=');
		json_object_setn_new(object, pairs[i], (size_t)(equals - pairs[i]),
				bm_json_text(equals + 1));
	}
	json_object_set_new(hook, name, object);
}

static json_t *encode(const struct bm_config_hook *hook)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "name", hook->name, "type",
			bm_hook_type_name(hook->type), "when", bm_hook_when_name(hook->when),
			"timeout_msec", (json_int_t)hook->timeout_msec);

	put_pairs(object, "connection", hook->connection);
	put_words(object, "statements", hook->statements);
	put_words(object, "command", hook->command);
	put_words(object, "databases", hook->databases);
	if (hook->file != NULL) {
		json_object_set_new(object, "file", bm_json_text(hook->file));
	}
	put_pairs(object, "source", hook->source);
	put_pairs(object, "destination", hook->destination);
	return object;
}

void bm_hooks_take(struct migration *migration, const struct bm_config_migration *config)
{
	json_t *hooks = config->hook_count > 0 ? json_array() : NULL;

	for (size_t i = 0; i < config->hook_count; i++) {
		json_array_append_new(hooks, encode(&config->hooks[i]));
	}
	json_decref(migration->cutover.hooks);
	migration->cutover.hooks = hooks;
}
