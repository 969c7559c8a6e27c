/* Definitions: written from a configuration, compared member by member. */
#include "migrate/definition.h"

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

json_t *bm_definition_create(const struct bm_config_migration *migration)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:{s:i}}", "name", migration->name, "source",
			endpoint_of(&migration->source), "destination",
			endpoint_of(&migration->destination), "direction",
			bm_direction_name(migration->direction), "copy", "jobs",
			(int)migration->copy_jobs);
}

/* ---- comparison ---- */

/* "source.host was "a" and is "b" now" */
static void say_difference(
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
			say_difference(path, was, is, out);
		}
	}
	json_decref(both);
}

void bm_definition_compare(const json_t *old, const json_t *now, struct bm_strbuf *out)
{
	compare_members("", old, now, out);
}

/* ---- orders ---- */

char *bm_definition_order(
		const json_t *definition, enum bm_phase phase, const char *socket_dir, bool fix)
{
	json_t *order = json_pack("{s:i, s:s, s:{s:o}, s:O, s:b}", "v", 1, "phase",
			bm_phase_name(phase), "control", "socket_dir", bm_json_text(socket_dir),
			"migration", definition, "fix", fix);
	char *text = json_dumps(order, JSON_COMPACT);

	json_decref(order);
	return text;
}
