/* The request of `worker observe`, both ways. */
#include "base/protocol/observe_request.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_VERSION 1

/* Bounds that keep a wrong request from spinning or sleeping for ever. */
#define SHORTEST_MSEC 50
#define LONGEST_MSEC 3600000

char *bm_observe_request_encode(const struct bm_observe_request *request)
{
	json_t *root = json_object();

	json_object_set_new(root, "v", json_integer(REQUEST_VERSION));
	json_object_set_new(root, "socket_dir", json_string(request->socket_dir));
	json_object_set_new(
			root, "interval_ms", json_integer((json_int_t)request->interval_msec));
	json_object_set_new(
			root, "timeout_ms", json_integer((json_int_t)request->timeout_msec));
	char *text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static int take_msec(const json_t *root, const char *name, uint64_t *out, struct bm_error *err)
{
	json_int_t value = json_integer_value(json_object_get(root, name));

	if (value < SHORTEST_MSEC || value > LONGEST_MSEC) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"the request's '%s' is not a number from %d to %d", name,
				SHORTEST_MSEC, LONGEST_MSEC);
	}
	*out = (uint64_t)value;
	return 0;
}

static int take_all(const json_t *root, struct bm_observe_request *out, struct bm_error *err)
{
	const char *dir = json_string_value(json_object_get(root, "socket_dir"));

	if (json_integer_value(json_object_get(root, "v")) != REQUEST_VERSION) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request is of another version");
	}
	if (dir == NULL || dir[0] != '/' || strlen(dir) >= sizeof(out->socket_dir)) {
		return bm_error_set(
				err, BM_ERR_CONFIG, "the request's 'socket_dir' is no path");
	}
	snprintf(out->socket_dir, sizeof(out->socket_dir), "%s", dir);
	if (take_msec(root, "interval_ms", &out->interval_msec, err) != 0) {
		return -1;
	}
	return take_msec(root, "timeout_ms", &out->timeout_msec, err);
}

int bm_observe_request_decode(const char *text, size_t length, struct bm_observe_request *out,
		struct bm_error *err)
{
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	*out = (struct bm_observe_request){0};
	if (root == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG, "the request is not JSON");
	}
	int rc = take_all(root, out, err);
	json_decref(root);
	return rc;
}
