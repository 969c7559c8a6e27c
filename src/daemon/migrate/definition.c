/* Definitions: written from a configuration, compared member by member. */
#include "daemon/migrate/definition.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"

static json_t *text_or_null(const char *text)
{
	return text != NULL ? bm_json_text(text) : json_null();
}

static json_t *endpoint_of(const struct bm_config_endpoint *endpoint)
{
	return json_pack("{s:o, s:i, s:o, s:o, s:o, s:o}", "host", bm_json_text(endpoint->host),
			"port", (int)endpoint->port, "dbname", bm_json_text(endpoint->dbname),
			"user", bm_json_text(endpoint->user), "sslmode",
			text_or_null(endpoint->sslmode), "sslrootcert",
			text_or_null(endpoint->sslrootcert));
}

static json_t *list_of(const char *const *words)
{
	json_t *list = json_array();

	for (; *words != NULL; words++) {
		json_array_append_new(list, bm_json_text(*words));
	}
	return list;
}

/* What a person left out is not there, so that a journal from before the key agrees. */
static void put_words(json_t *object, const char *key, const char *const *words)
{
	if (words != NULL) {
		json_object_set_new(object, key, list_of(words));
	}
}

static void put_pairs(json_t *object, const char *key, const char *const *pairs)
{
	if (pairs != NULL && pairs[0] != NULL) {
		put_words(object, key, pairs);
	}
}

static void put_drop(json_t *object, const char *key, enum bm_keep keep)
{
	if (keep == BM_DROP) {
		json_object_set_new(object, key, json_string("drop"));
	}
}

static void put_section(json_t *object, const char *key, json_t *section)
{
	if (json_object_size(section) > 0) {
		json_object_set(object, key, section);
	}
	json_decref(section);
}

json_t *bm_definition_create(const struct bm_config_migration *migration)
{
	json_t *tables = json_object();
	json_t *extensions = json_object();
	json_t *definition = json_pack("{s:s, s:o, s:o, s:s, s:{s:i, s:I, s:b}}", "name",
			migration->name, "source", endpoint_of(&migration->source),
			"destination", endpoint_of(&migration->destination), "direction",
			bm_direction_name(migration->direction), "copy", "jobs",
			(int)migration->copy_jobs, "max_rate",
			(json_int_t)migration->copy_max_rate, "throttle",
			(int)migration->copy_throttle);

	/* Only then: the definitions of older journals stay as they are. */
	if (migration->copy_foreign_keys == BM_FOREIGN_KEYS_CHECK) {
		json_object_set_new(json_object_get(definition, "copy"), "foreign_keys",
				json_string("check"));
	}

	if (migration->syncs > 1) {
		json_object_set_new(definition, "syncs",
				json_integer((json_int_t)migration->syncs));
	}
	put_words(tables, "include", migration->include);
	put_words(tables, "exclude", migration->exclude);
	put_section(definition, "tables", tables);
	put_words(extensions, "skip", migration->skip_extensions);
	put_pairs(extensions, "versions", migration->extension_versions);
	put_section(definition, "extensions", extensions);
	put_drop(definition, "owners", migration->owners);
	put_drop(definition, "grants", migration->grants);
	if (migration->create_roles) {
		json_object_set_new(definition, "create_roles", json_true());
	}
	put_pairs(definition, "roles", migration->roles);
	return definition;
}

/* ---- the way back of direction forward ---- */

bool bm_definition_is_both(const json_t *definition)
{
	const char *direction = json_string_value(json_object_get(definition, "direction"));

	return direction == NULL ||
			strcmp(direction, bm_direction_name(BM_DIRECTION_BOTH)) == 0;
}

void bm_definition_make_both(json_t *definition)
{
	json_object_set_new(definition, "direction",
			json_string(bm_direction_name(BM_DIRECTION_BOTH)));
	json_object_set_new(definition, "way_back", json_true());
}

void bm_definition_follow(json_t *declared, const json_t *definition)
{
	if (json_is_true(json_object_get(definition, "way_back"))) {
		bm_definition_make_both(declared);
	}
}

void bm_definition_renew(json_t *definition)
{
	json_t *copy = json_object_get(definition, "copy");
	json_t *throttle = json_object_get(copy, "gentle");

	if (throttle != NULL) {
		json_object_set(copy, "throttle", throttle);
		json_object_del(copy, "gentle");
	}
}

/* ---- comparison ---- */

/* "source.host was "a" and is "b" now" */
static void print_difference(
		const char *path, const json_t *old, const json_t *now, struct bm_strbuf *out)
{
	char *was = json_dumps(old, JSON_ENCODE_ANY | JSON_COMPACT);
	char *is = json_dumps(now, JSON_ENCODE_ANY | JSON_COMPACT);

	bm_strbuf_printf(out, "%s%s was %s and is %s now", out->length > 0 ? ", " : "", path,
			was != NULL ? was : "not there", is != NULL ? is : "not there");
	free(was);
	free(is);
}

static void compare_members(
		const char *prefix, const json_t *old, const json_t *now, struct bm_strbuf *out)
{
	static const char *const harmless[] = {"name", "copy"};
	json_t *both = json_object();
	const char *key;
	json_t *value;

	json_object_update(both, (json_t *)(uintptr_t)old);
	json_object_update(both, (json_t *)(uintptr_t)now);
	json_object_foreach(both, key, value)
	{
		const json_t *was = json_object_get(old, key);
		const json_t *is = json_object_get(now, key);
		char path[128];
		bool skip = false;
		for (size_t i = 0; i < BM_COUNT_OF(harmless); i++) {
			skip = skip || strcmp(harmless[i], key) == 0;
		}
		snprintf(path, sizeof(path), "%s%s", prefix, key);
		if (skip || json_equal(was, is)) {
			continue;
		}
		if (prefix[0] == '\0' && json_is_object(was) && json_is_object(is)) {
			snprintf(path, sizeof(path), "%s.", key);
			compare_members(path, was, is, out);
		} else {
			print_difference(path, was, is, out);
		}
	}
	json_decref(both);
}

void bm_definition_compare(const json_t *old, const json_t *now, struct bm_strbuf *out)
{
	compare_members("", old, now, out);
}

bool bm_definition_is_same_but_copy(const json_t *old, const json_t *now)
{
	json_t *was = json_copy((json_t *)(uintptr_t)old);
	json_t *is = json_copy((json_t *)(uintptr_t)now);

	json_object_del(was, "copy");
	json_object_del(is, "copy");
	bool same = json_equal(was, is);
	json_decref(was);
	json_decref(is);
	return same;
}

/* ---- requests ---- */

static json_t *request_of(const json_t *definition, enum bm_phase phase, const char *socket_dir)
{
	return json_pack("{s:i, s:s, s:{s:o}, s:O}", "v", 1, "phase", bm_phase_name(phase),
			"control", "socket_dir", bm_json_text(socket_dir), "migration",
			definition);
}

static char *text_of(json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	return text;
}

char *bm_definition_verify_request(const json_t *definition, const char *socket_dir,
		const struct bm_config_verify *verify)
{
	json_t *request = request_of(definition, BM_PHASE_VERIFY, socket_dir);

	json_object_set_new(request, "verify",
			json_pack("{s:i, s:I, s:I}", "max_load", (int)verify->max_load,
					"interval_msec", (json_int_t)verify->interval_msec,
					"full_every_msec",
					(json_int_t)verify->full_every_msec));
	return text_of(request);
}

char *bm_definition_request(const json_t *definition, enum bm_phase phase,
		const char *socket_dir, enum bm_request_kind kind, const char *refusal)
{
	json_t *request = request_of(definition, phase, socket_dir);

	json_object_set_new(request, "fix", json_boolean(kind == BM_REQUEST_FIX));
	json_object_set_new(request, "plan", json_boolean(kind != BM_REQUEST_WORK));

	if (refusal != NULL) {
		json_object_set_new(request, "refusal",
				json_pack("{s:o, s:s}", "why", bm_json_text(refusal), "hint",
						BM_REFUSAL_HINT));
	}
	return text_of(request);
}

bool bm_migrate_is_declared(const struct bm_config *config, const char *name)
{
	bool found = false;

	for (size_t i = 0; i < config->migration_count && !found; i++) {
		found = strcmp(config->migrations[i].name, name) == 0;
	}
	return found;
}
