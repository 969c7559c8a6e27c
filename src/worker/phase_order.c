/* Reading the order; whoever sends it has checked the values a person wrote. */
#include "worker/phase_order.h"

#include <jansson.h>
#include <string.h>

#define ORDER_VERSION 1

static int take_text(
		const json_t *object, const char *key, const char **out, struct bm_error *err)
{
	*out = json_string_value(json_object_get(object, key));
	if (*out == NULL || (*out)[0] == '\0') {
		return bm_error_set(err, BM_ERR_CONFIG, "the order has no '%s'", key);
	}
	return 0;
}

static int take_endpoint(const json_t *migration, const char *key,
		struct bm_phase_endpoint *out, struct bm_error *err)
{
	const json_t *object = json_object_get(migration, key);
	json_int_t port = json_integer_value(json_object_get(object, "port"));

	if (port < 1 || port > 65535) {
		return bm_error_set(err, BM_ERR_CONFIG, "the order's %s has no port", key);
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

static int take_migration(
		const json_t *migration, struct bm_phase_order *out, struct bm_error *err)
{
	const json_t *copy = json_object_get(migration, "copy");
	const char *direction = json_string_value(json_object_get(migration, "direction"));

	if (take_text(migration, "name", &out->name, err) != 0 ||
			take_endpoint(migration, "source", &out->source, err) != 0 ||
			take_endpoint(migration, "destination", &out->destination, err) != 0) {
		return -1;
	}
	if (strlen(out->name) >= BM_MIGRATION_NAME_BYTES ||
			strspn(out->name, "abcdefghijklmnopqrstuvwxyz0123456789_") !=
					strlen(out->name)) {
		return bm_error_set(err, BM_ERR_CONFIG, "the order's 'name' is no name");
	}
	out->is_both = direction == NULL || strcmp(direction, "both") == 0;
	out->jobs = (unsigned)json_integer_value(json_object_get(copy, "jobs"));
	return 0;
}

int bm_phase_order_decode(const char *text, size_t length, struct bm_phase_order *out,
		struct bm_error *err)
{
	*out = (struct bm_phase_order){0};
	out->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	if (out->root == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG, "the order is not JSON");
	}
	if (json_integer_value(json_object_get(out->root, "v")) != ORDER_VERSION) {
		return bm_error_set(err, BM_ERR_CONFIG, "the order is of another version");
	}
	out->fix = json_is_true(json_object_get(out->root, "fix"));
	if (take_text(out->root, "phase", &out->phase, err) != 0 ||
			take_text(json_object_get(out->root, "control"), "socket_dir",
					&out->socket_dir, err) != 0) {
		return -1;
	}
	return take_migration(json_object_get(out->root, "migration"), out, err);
}

void bm_phase_order_finish(struct bm_phase_order *order)
{
	json_decref(order->root);
	*order = (struct bm_phase_order){0};
}
