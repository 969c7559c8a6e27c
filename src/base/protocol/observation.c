/* The tables of fields of a sample, and the two directions that walk them. */
#include "bucardo_machine/observation.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/utf8.h"

#define LINE_VERSION 1

enum kind {
	KIND_TEXT,
	KIND_BOOL,
	KIND_COUNT,    /* int64_t, -1 unknown */
	KIND_UNSIGNED, /* unsigned */
	KIND_PID,
	KIND_REACH,
	KIND_SINCE /* uint64_t bm_clock_msec(); travels as an age */
};

/* Whether a change of the field is news by itself. */
enum news { NEWS_NO, NEWS_YES, NEWS_SIGN /* only whether it is unknown, 0 or more */ };

struct field {
	const char *name;
	enum kind kind;
	enum news news;
	size_t offset;
};

/* clang-format off */
static const struct field db_fields[] = {
	{"name",     KIND_TEXT,  NEWS_YES, offsetof(struct bm_db_sample, name)},
	{"role",     KIND_TEXT,  NEWS_YES, offsetof(struct bm_db_sample, role)},
	{"reach",    KIND_REACH, NEWS_YES, offsetof(struct bm_db_sample, reach)},
	{"error",    KIND_TEXT,  NEWS_YES, offsetof(struct bm_db_sample, error)},
	{"since_ms", KIND_SINCE, NEWS_NO,  offsetof(struct bm_db_sample, since_msec)},
};

static const struct field sync_fields[] = {
	{"name",            KIND_TEXT,     NEWS_YES,  offsetof(struct bm_sync_sample, name)},
	{"active",          KIND_BOOL,     NEWS_YES,  offsetof(struct bm_sync_sample, active)},
	{"autokick",        KIND_BOOL,     NEWS_YES,  offsetof(struct bm_sync_sample, autokick)},
	{"backlog_rows",    KIND_COUNT,    NEWS_SIGN, offsetof(struct bm_sync_sample, backlog_rows)},
	{"lag_ms",          KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, lag_msec)},
	{"run_open",        KIND_BOOL,     NEWS_YES,  offsetof(struct bm_sync_sample, run_open)},
	{"run_age_ms",      KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, run_age_msec)},
	{"run_status",      KIND_TEXT,     NEWS_YES,  offsetof(struct bm_sync_sample, run_status)},
	{"run_moved",       KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, run_moved)},
	{"good_age_ms",     KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, good_age_msec)},
	{"bad_age_ms",      KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, bad_age_msec)},
	{"bad_text",        KIND_TEXT,     NEWS_YES,  offsetof(struct bm_sync_sample, bad_text)},
	{"recent_failures", KIND_UNSIGNED, NEWS_YES,  offsetof(struct bm_sync_sample, recent_failures)},
	{"blocker_pid",     KIND_PID,      NEWS_YES,  offsetof(struct bm_sync_sample, blocker_pid)},
	{"blocker_query",   KIND_TEXT,     NEWS_NO,   offsetof(struct bm_sync_sample, blocker_query)},
	{"blocker_db",      KIND_TEXT,     NEWS_YES,  offsetof(struct bm_sync_sample, blocker_db)},
	{"requeued_rows",   KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, requeued_rows)},
	{"conflicts",       KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, conflicts)},
	{"applied_rows",    KIND_COUNT,    NEWS_NO,   offsetof(struct bm_sync_sample, applied_rows)},
};
/* clang-format on */

static const char *const reach_names[] = {
		[BM_REACH_UNKNOWN] = "unknown",
		[BM_REACH_YES] = "yes",
		[BM_REACH_NO] = "no",
};
static_assert(BM_COUNT_OF(reach_names) == BM_REACH_NO + 1, "a reach has no name");

/* ---- encoding ---- */

/* Servers and libpq may answer in any encoding: keep the line valid and short. */
static json_t *text_to_json(const char *text)
{
	size_t left = strnlen(text, BM_OBSERVATION_TEXT_BYTES);
	struct bm_strbuf clean = BM_STRBUF_INIT;

	while (left > 0) {
		size_t size = bm_utf8_length(text, left);
		if (size == 0) {
			bm_strbuf_putc(&clean, '?');
			size = 1;
		} else if (size == 1 && iscntrl((unsigned char)*text)) {
			bm_strbuf_putc(&clean, ' ');
		} else {
			bm_strbuf_add(&clean, text, size);
		}
		text += size;
		left -= size;
	}
	json_t *value = json_string(bm_strbuf_text(&clean));
	bm_strbuf_finish(&clean);
	return value;
}

static json_int_t sign_of(int64_t value)
{
	return value > 0 ? 1 : value;
}

static json_t *field_to_json(const struct field *field, const void *object, uint64_t now_msec)
{
	const char *at = (const char *)object + field->offset;

	switch (field->kind) {
	case KIND_TEXT: {
		const char *text = *(const char *const *)(const void *)at;
		return text_to_json(text != NULL ? text : "");
	}
	case KIND_BOOL:
		return json_boolean(*(const bool *)at);
	case KIND_COUNT: {
		int64_t count = *(const int64_t *)(const void *)at;
		return json_integer(field->news == NEWS_SIGN && now_msec == 0 ? sign_of(count)
									      : count);
	}
	case KIND_UNSIGNED:
		return json_integer(*(const unsigned *)(const void *)at);
	case KIND_PID:
		return json_integer(*(const pid_t *)(const void *)at);
	case KIND_REACH:
		return json_string(reach_names[*(const enum bm_reach *)(const void *)at]);
	case KIND_SINCE: {
		uint64_t since = *(const uint64_t *)(const void *)at;
		return json_integer(since < now_msec ? (json_int_t)(now_msec - since) : 0);
	}
	}
	return NULL;
}

/* `now_msec` 0 asks for the news only. */
static json_t *object_to_json(
		const struct field *fields, size_t count, const void *object, uint64_t now_msec)
{
	json_t *out = json_object();

	for (size_t i = 0; i < count; i++) {
		if (now_msec != 0 || fields[i].news != NEWS_NO) {
			json_object_set_new(out, fields[i].name,
					field_to_json(&fields[i], object, now_msec));
		}
	}
	return out;
}

static json_t *sync_to_json(const struct bm_sync_sample *sync, uint64_t now_msec)
{
	json_t *out = object_to_json(sync_fields, BM_COUNT_OF(sync_fields), sync, now_msec);
	json_t *dbs = json_array();

	for (size_t i = 0; i < sync->db_count; i++) {
		json_array_append_new(dbs, json_integer((json_int_t)sync->dbs[i]));
	}
	json_object_set_new(out, "dbs", dbs);
	return out;
}

static char *dump(json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	return text != NULL ? text : bm_strdup("");
}

char *bm_observation_encode(
		const struct bm_observation *observation, enum bm_observation_detail detail)
{
	uint64_t now_msec = detail == BM_OBSERVATION_FULL ? observation->taken_msec : 0;
	json_t *dbs = json_array();
	json_t *syncs = json_array();

	for (size_t i = 0; i < observation->db_count; i++) {
		json_array_append_new(dbs,
				object_to_json(db_fields, BM_COUNT_OF(db_fields),
						&observation->dbs[i], now_msec));
	}
	for (size_t i = 0; i < observation->sync_count; i++) {
		json_array_append_new(syncs, sync_to_json(&observation->syncs[i], now_msec));
	}
	json_t *root = json_object();
	json_object_set_new(root, "v", json_integer(LINE_VERSION));
	json_object_set_new(root, "dbs", dbs);
	json_object_set_new(root, "syncs", syncs);
	return dump(root);
}

char *bm_observation_encode_waiting(const char *why)
{
	json_t *root = json_object();

	json_object_set_new(root, "v", json_integer(LINE_VERSION));
	json_object_set_new(root, "waiting", text_to_json(why));
	return dump(root);
}

/* ---- decoding ---- */

static int bad(struct bm_error *err, const char *what, const char *why)
{
	return bm_error_set(
			err, BM_ERR_INTERNAL, "the sample is not valid: '%s' %s", what, why);
}

static bool reach_from_text(const char *text, enum bm_reach *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(reach_names); i++) {
		if (strcmp(reach_names[i], text) == 0) {
			*out = (enum bm_reach)i;
			return true;
		}
	}
	return false;
}

static int text_from_json(
		const struct field *field, const json_t *value, char *at, struct bm_error *err)
{
	const char *text = json_string_value(value);

	if (text == NULL) {
		return bad(err, field->name, "is not a text");
	}
	if (field->kind == KIND_TEXT) {
		*(const char **)(void *)at = text;
		return 0;
	}
	return reach_from_text(text, (enum bm_reach *)(void *)at)
			? 0
			: bad(err, field->name, "is neither yes, no nor unknown");
}

/* Smallest and largest number a kind of field may hold. */
static int64_t lowest(enum kind kind)
{
	return kind == KIND_COUNT ? -1 : 0;
}

static int64_t highest(enum kind kind)
{
	return kind == KIND_UNSIGNED || kind == KIND_PID ? INT32_MAX : INT64_MAX;
}

static int number_from_json(const struct field *field, const json_t *value, uint64_t now_msec,
		char *at, struct bm_error *err)
{
	if (!json_is_integer(value)) {
		return bad(err, field->name, "is not a number");
	}
	int64_t number = json_integer_value(value);
	if (number < lowest(field->kind) || number > highest(field->kind)) {
		return bad(err, field->name, "is out of range");
	}
	if (field->kind == KIND_COUNT) {
		*(int64_t *)(void *)at = number;
	} else if (field->kind == KIND_UNSIGNED) {
		*(unsigned *)(void *)at = (unsigned)number;
	} else if (field->kind == KIND_PID) {
		*(pid_t *)(void *)at = (pid_t)number;
	} else {
		uint64_t age = (uint64_t)number;
		*(uint64_t *)(void *)at = age < now_msec ? now_msec - age : 0;
	}
	return 0;
}

static int field_from_json(const struct field *field, const json_t *value, uint64_t now_msec,
		void *object, struct bm_error *err)
{
	char *at = (char *)object + field->offset;

	if (value == NULL) {
		return bad(err, field->name, "is missing");
	}
	if (field->kind == KIND_TEXT || field->kind == KIND_REACH) {
		return text_from_json(field, value, at, err);
	}
	if (field->kind == KIND_BOOL) {
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value) ? 0 : bad(err, field->name, "is not a boolean");
	}
	return number_from_json(field, value, now_msec, at, err);
}

static int object_from_json(const struct field *fields, size_t count, const json_t *json,
		uint64_t now_msec, void *object, struct bm_error *err)
{
	if (!json_is_object(json)) {
		return bad(err, "dbs or syncs", "holds something that is not an object");
	}
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(json, fields[i].name);
		if (field_from_json(&fields[i], value, now_msec, object, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* One allocation holds all arrays of a sample: databases, syncs, then indexes. */
struct arrays {
	struct bm_db_sample dbs[BM_OBSERVATION_MAX_DBS];
	struct bm_sync_sample syncs[BM_OBSERVATION_MAX_SYNCS];
	size_t indexes[];
};

static int indexes_from_json(const json_t *json, size_t db_count, size_t *indexes,
		struct bm_sync_sample *sync, struct bm_error *err)
{
	const json_t *list = json_object_get(json, "dbs");

	if (!json_is_array(list) || json_array_size(list) > db_count) {
		return bad(err, "dbs", "of a sync is not a list of its databases");
	}
	sync->db_count = json_array_size(list);
	sync->dbs = indexes;
	for (size_t i = 0; i < sync->db_count; i++) {
		const json_t *index = json_array_get(list, i);
		json_int_t number = json_integer_value(index);
		if (!json_is_integer(index) || number < 0 || (size_t)number >= db_count) {
			return bad(err, "dbs", "of a sync names a database that is not listed");
		}
		indexes[i] = (size_t)number;
	}
	return 0;
}

static int lists_from_json(const json_t *dbs, const json_t *syncs, uint64_t now_msec,
		struct bm_observation_line *out, struct bm_error *err)
{
	size_t db_count = json_array_size(dbs);
	size_t sync_count = json_array_size(syncs);

	if (!json_is_array(dbs) || db_count > BM_OBSERVATION_MAX_DBS) {
		return bad(err, "dbs", "is not a list, or too long");
	}
	if (!json_is_array(syncs) || sync_count > BM_OBSERVATION_MAX_SYNCS) {
		return bad(err, "syncs", "is not a list, or too long");
	}
	struct arrays *arrays = bm_alloc(
			sizeof(*arrays) + sizeof(size_t) * db_count * sync_count);
	out->memory = arrays;
	out->observation = (struct bm_observation){.taken_msec = now_msec,
			.db_count = db_count,
			.dbs = arrays->dbs,
			.sync_count = sync_count,
			.syncs = arrays->syncs};
	for (size_t i = 0; i < db_count; i++) {
		if (object_from_json(db_fields, BM_COUNT_OF(db_fields), json_array_get(dbs, i),
				    now_msec, &arrays->dbs[i], err) != 0) {
			return -1;
		}
	}
	for (size_t i = 0; i < sync_count; i++) {
		const json_t *json = json_array_get(syncs, i);
		if (object_from_json(sync_fields, BM_COUNT_OF(sync_fields), json, now_msec,
				    &arrays->syncs[i], err) != 0 ||
				indexes_from_json(json, db_count,
						arrays->indexes + i * db_count,
						&arrays->syncs[i], err) != 0) {
			return -1;
		}
	}
	return 0;
}

int bm_observation_decode(const char *text, size_t length, uint64_t now_msec,
		struct bm_observation_line *out, struct bm_error *err)
{
	json_error_t where;

	*out = (struct bm_observation_line){0};
	if (length > BM_OBSERVATION_LINE_BYTES) {
		return bad(err, "line", "is too long");
	}
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	out->json = root;
	if (root == NULL) {
		return bm_error_set(err, BM_ERR_INTERNAL,
				"the sample is not JSON: %s at byte %d", where.text,
				where.position);
	}
	if (json_integer_value(json_object_get(root, "v")) != LINE_VERSION) {
		return bad(err, "v", "is not the version of this program");
	}
	const json_t *waiting = json_object_get(root, "waiting");
	if (waiting != NULL) {
		out->waiting = json_string_value(waiting);
		return out->waiting != NULL ? 0 : bad(err, "waiting", "is not a text");
	}
	return lists_from_json(json_object_get(root, "dbs"), json_object_get(root, "syncs"),
			now_msec, out, err);
}

void bm_observation_line_finish(struct bm_observation_line *line)
{
	json_decref(line->json);
	free(line->memory);
	*line = (struct bm_observation_line){0};
}
