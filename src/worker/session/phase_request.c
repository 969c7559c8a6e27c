/* Reading the request; whoever sends it has checked the values a person wrote. */
#include "worker/session/phase_request.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/syncs.h"

#define REQUEST_VERSION 1

static int take_text(
		const json_t *object, const char *key, const char **out, struct bm_error *err)
{
	*out = json_string_value(json_object_get(object, key));
	if (*out == NULL || (*out)[0] == '\0') {
		return bm_error_set(err, BM_ERR_CONFIG, "the request has no '%s'", key);
	}
	return 0;
}

static int take_endpoint(const json_t *migration, const char *key,
		struct bm_phase_endpoint *out, struct bm_error *err)
{
	const json_t *object = json_object_get(migration, key);
	json_int_t port = json_integer_value(json_object_get(object, "port"));

	if (port < 1 || port > 65535) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request's %s has no port", key);
	}
	out->port = (unsigned)port;
	out->sslmode = json_string_value(json_object_get(object, "sslmode"));
	out->sslrootcert = json_string_value(json_object_get(object, "sslrootcert"));
	if (take_text(object, "host", &out->host, err) != 0 ||
			take_text(object, "dbname", &out->dbname, err) != 0 ||
			take_text(object, "user", &out->user, err) != 0) {
		return bm_error_wrap(err, "%s", key);
	}
	return 0;
}

/* A list of texts; NULL when there is none. */
static const char *const *take_words(const json_t *object, const char *key)
{
	const json_t *list = json_object_get(object, key);
	size_t count = 0, index;
	const json_t *word;

	if (!json_is_array(list)) {
		return NULL;
	}
	const char **words = bm_alloc((json_array_size(list) + 1) * sizeof(*words));
	json_array_foreach(list, index, word)
	{
		if (json_is_string(word)) {
			words[count++] = json_string_value(word);
		}
	}
	return words;
}

static int take_migration(
		const json_t *migration, struct bm_phase_request *out, struct bm_error *err)
{
	const json_t *copy = json_object_get(migration, "copy");
	json_int_t syncs = json_integer_value(json_object_get(migration, "syncs"));
	const char *direction = json_string_value(json_object_get(migration, "direction"));

	if (take_text(migration, "name", &out->name, err) != 0 ||
			take_endpoint(migration, "source", &out->source, err) != 0 ||
			take_endpoint(migration, "destination", &out->destination, err) != 0) {
		return -1;
	}
	if (strlen(out->name) >= BM_MIGRATION_NAME_BYTES ||
			strspn(out->name, "abcdefghijklmnopqrstuvwxyz0123456789_") !=
					strlen(out->name)) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request's 'name' is no name");
	}
	out->is_both = direction == NULL || strcmp(direction, "both") == 0;
	const json_t *tables = json_object_get(migration, "tables");
	out->filter.include = take_words(tables, "include");
	out->filter.exclude = take_words(tables, "exclude");
	const json_t *extensions = json_object_get(migration, "extensions");
	out->extensions = (struct bm_extension_rules){
			.skip = take_words(extensions, "skip"),
			.versions = take_words(extensions, "versions"),
	};
	out->roles = (struct bm_role_rules){
			.drop_owners = json_object_get(migration, "owners") != NULL,
			.drop_grants = json_object_get(migration, "grants") != NULL,
			.create = json_is_true(json_object_get(migration, "create_roles")),
			.names = take_words(migration, "roles"),
	};
	out->syncs = syncs < 1 ? 1
			       : (syncs > BM_SYNCS_LIMIT ? BM_SYNCS_LIMIT : (unsigned)syncs);
	out->jobs = (unsigned)json_integer_value(json_object_get(copy, "jobs"));
	out->max_rate = (uint64_t)json_integer_value(json_object_get(copy, "max_rate"));
	out->throttle = json_is_true(json_object_get(copy, "throttle"));
	const char *keys = json_string_value(json_object_get(copy, "foreign_keys"));
	out->trust_keys = keys == NULL || strcmp(keys, "check") != 0;
	return 0;
}

static int take_mode(const char *text, enum bm_cutover_mode *out, struct bm_error *err)
{
	static const char *const modes[] = {
			[BM_CUTOVER_CHECK] = "check",
			[BM_CUTOVER_REHEARSE] = "rehearse",
			[BM_CUTOVER_RUN] = "run",
			[BM_CUTOVER_FINISH] = "finish",
			[BM_CUTOVER_WAY_BACK] = "way_back",
	};

	for (size_t i = 0; i < BM_COUNT_OF(modes); i++) {
		if (strcmp(text, modes[i]) == 0) {
			*out = (enum bm_cutover_mode)i;
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG, "the request's mode '%s' is not known", text);
}

/* Of phases cutover and failback; others have no mode. */
static int take_cutover(
		const json_t *root, struct bm_cutover_request *out, struct bm_error *err)
{
	const char *mode = json_string_value(json_object_get(root, "mode"));
	const char *quiesce = json_string_value(json_object_get(root, "quiesce"));
	json_int_t number = json_integer_value(json_object_get(root, "number"));
	json_int_t budget = json_integer_value(json_object_get(root, "budget_msec"));

	out->budget_msec = budget < 1 || budget > UINT32_MAX ? BM_CUTOVER_BUDGET_MSEC
							     : (unsigned)budget;
	out->is_manual = quiesce != NULL && strcmp(quiesce, "manual") == 0;
	out->rehearsed_at = (int64_t)json_integer_value(json_object_get(root, "rehearsed_at"));
	out->has_way_back = json_is_true(json_object_get(root, "way_back"));
	out->accept = take_words(root, "accept");
	out->hooks = json_object_get(root, "hooks");
	out->number = number < 1 ? 0 : (uint64_t)number;
	if (mode == NULL) {
		return 0;
	}
	if (take_mode(mode, &out->mode, err) != 0) {
		return -1;
	}
	if (out->mode != BM_CUTOVER_CHECK && out->number == 0) {
		return bm_error_set(
				err, BM_ERR_CONFIG, "the request has no number of its attempt");
	}
	return 0;
}

static bool is_a_change_of_sides(const char *phase)
{
	return strcmp(phase, "cutover") == 0 || strcmp(phase, "failback") == 0;
}

/* Whoever sends it has the limits (src/base/config/keys.c). */
static void take_verify(const json_t *verify, struct bm_verify_request *out)
{
	json_int_t load = json_integer_value(json_object_get(verify, "max_load"));

	out->max_load = load >= 1 && load <= 100 ? (unsigned)load : 10;
	out->interval_msec = (uint64_t)json_integer_value(
			json_object_get(verify, "interval_msec"));
	out->full_every_msec = (uint64_t)json_integer_value(
			json_object_get(verify, "full_every_msec"));
}

int bm_phase_request_decode(const char *text, size_t length, struct bm_phase_request *out,
		struct bm_error *err)
{
	*out = (struct bm_phase_request){0};
	out->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	if (out->root == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request is not JSON");
	}
	if (json_integer_value(json_object_get(out->root, "v")) != REQUEST_VERSION) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request is of another version");
	}
	take_verify(json_object_get(out->root, "verify"), &out->verify);
	out->fix = json_is_true(json_object_get(out->root, "fix"));
	out->plan = json_is_true(json_object_get(out->root, "plan"));
	const json_t *refusal = json_object_get(out->root, "refusal");
	out->refusal = json_string_value(json_object_get(refusal, "why"));
	out->refusal_hint = json_string_value(json_object_get(refusal, "hint"));
	if (take_text(out->root, "phase", &out->phase, err) != 0 ||
			take_text(json_object_get(out->root, "control"), "socket_dir",
					&out->socket_dir, err) != 0) {
		return -1;
	}
	if (take_cutover(out->root, &out->cutover, err) != 0) {
		return -1;
	}
	if (is_a_change_of_sides(out->phase) && json_object_get(out->root, "mode") == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request has no 'mode'");
	}
	return take_migration(json_object_get(out->root, "migration"), out, err);
}

void bm_phase_request_finish(struct bm_phase_request *request)
{
	free((void *)(uintptr_t)request->filter.include);
	free((void *)(uintptr_t)request->filter.exclude);
	free((void *)(uintptr_t)request->cutover.accept);
	free((void *)(uintptr_t)request->roles.names);
	free((void *)(uintptr_t)request->extensions.skip);
	free((void *)(uintptr_t)request->extensions.versions);
	json_decref(request->root);
	*request = (struct bm_phase_request){0};
}
