/* Requests: one JSON object in a line, checked member by member. */
#include "daemon/control/request.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"

/* A word out of a list; the index, or -1. */
static int find_word(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static const char *text_of(const json_t *root, const char *member)
{
	const char *text = json_string_value(json_object_get(root, member));

	return text != NULL ? text : "";
}

static int parse_events(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const json_t *after = json_object_get(root, "after");
	const json_t *follow = json_object_get(root, "follow");

	if (after != NULL && (!json_is_integer(after) || json_integer_value(after) < 0)) {
		return bm_error_set(
				err, BM_ERR_CONFIG, "'after' is the id of an event: 0, 1, ...");
	}
	if (follow != NULL && !json_is_boolean(follow)) {
		return bm_error_set(err, BM_ERR_CONFIG, "'follow' is true or false");
	}
	out->after = (uint64_t)json_integer_value(after);
	out->follow = json_is_true(follow);
	return 0;
}

static int parse_health(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	static const char *const words[] = {"live", "ready"};
	int found = find_word(text_of(root, "what"), words, BM_COUNT_OF(words));

	if (found < 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "'what' is live or ready");
	}
	out->ready = found == 1;
	return 0;
}

static int parse_status(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const json_t *brief = json_object_get(root, "brief");

	if (brief != NULL && !json_is_boolean(brief)) {
		return bm_error_set(err, BM_ERR_CONFIG, "'brief' is true or false");
	}
	out->brief = json_is_true(brief);
	return 0;
}

static int parse_service(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	static const char *const words[] = {
			[BM_SERVICE_START] = "start",
			[BM_SERVICE_STOP] = "stop",
			[BM_SERVICE_RESTART] = "restart",
	};
	const char *unit = text_of(root, "unit");
	int verb = find_word(text_of(root, "verb"), words, BM_COUNT_OF(words));

	if (verb < 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "'verb' is start, stop or restart");
	}
	if (unit[0] == '\0' || strlen(unit) >= sizeof(out->unit)) {
		return bm_error_set(err, BM_ERR_CONFIG, "'unit' is the name of a unit");
	}
	out->verb = (enum bm_service_verb)verb;
	snprintf(out->unit, sizeof(out->unit), "%s", unit);
	return 0;
}

static int parse_migration(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const char *name = text_of(root, "migration");

	if (name[0] == '\0' || strlen(name) >= sizeof(out->migration)) {
		return bm_error_set(
				err, BM_ERR_CONFIG, "'migration' is the name of a migration");
	}
	snprintf(out->migration, sizeof(out->migration), "%s", name);
	return 0;
}

static int parse_migrate(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const char *until = text_of(root, "until");

	out->until = BM_PHASE_COUNT - 1;
	if (json_object_get(root, "until") != NULL && !bm_phase_parse(until, &out->until)) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"%s '%.40s'; 'until' is preflight, schema, capture, copy, index "
				"or replicate",
				bm_phase_is_asked_for(until) ? "no migration goes by itself to"
							     : "there is no phase",
				until);
	}
	return parse_migration(root, out, err);
}

static int parse_notified(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	return bm_receiver_reports_read(json_object_get(root, "receivers"), out->receivers,
			&out->receiver_count, err);
}

static int parse_plan(const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const json_t *fix = json_object_get(root, "fix");

	if (fix != NULL && !json_is_boolean(fix)) {
		return bm_error_set(err, BM_ERR_CONFIG, "'fix' is true or false");
	}
	out->fix = json_is_true(fix);
	return parse_migration(root, out, err);
}

static int parse_teardown(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const json_t *preview = json_object_get(root, "preview");
	const char *without = text_of(root, "without");

	if (preview != NULL && !json_is_boolean(preview)) {
		return bm_error_set(err, BM_ERR_CONFIG, "'preview' is true or false");
	}
	if (strlen(without) >= sizeof(out->without)) {
		return bm_error_set(
				err, BM_ERR_CONFIG, "'without' is source, destination or both");
	}
	out->preview = json_is_true(preview);
	snprintf(out->without, sizeof(out->without), "%s", without);
	return parse_migration(root, out, err);
}

/* Names that are accepted as they are: a list, kept as the text of one. */
static int take_accept(const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const json_t *list = json_object_get(root, "accept");
	size_t index;
	const json_t *name;

	json_array_foreach(list, index, name)
	{
		if (!json_is_string(name)) {
			list = NULL;
			break;
		}
	}
	char *text = json_is_array(list) ? json_dumps(list, JSON_COMPACT) : NULL;
	bool taken = text != NULL && strlen(text) < sizeof(out->accept);
	snprintf(out->accept, sizeof(out->accept), "%s", taken ? text : "[]");
	free(text);
	return taken || json_object_get(root, "accept") == NULL
			? 0
			: bm_error_set(err, BM_ERR_CONFIG,
					  "'accept' is a list of names, of %d bytes at most",
					  BM_CONTROL_ACCEPT_BYTES);
}

static int take_budget(const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const json_t *budget = json_object_get(root, "budget_msec");
	json_int_t value = json_integer_value(budget);

	if (budget != NULL &&
			(!json_is_integer(budget) || value < BM_BUDGET_LEAST_MSEC ||
					value > BM_BUDGET_MOST_MSEC)) {
		return bm_error_set(err, BM_ERR_CONFIG, "'budget_msec' is %d to %d",
				BM_BUDGET_LEAST_MSEC, BM_BUDGET_MOST_MSEC);
	}
	out->change.budget_msec = (unsigned)value;
	return 0;
}

static int parse_cutover(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	static const char *const directions[] = {"cutover", "failback"};
	static const char *const modes[] = {"check", "rehearse", "run"};
	int direction = find_word(
			text_of(root, "direction"), directions, BM_COUNT_OF(directions));
	int mode = find_word(text_of(root, "mode"), modes, BM_COUNT_OF(modes));

	if (direction < 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "'direction' is cutover or failback");
	}
	if (mode < 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "'mode' is check, rehearse or run");
	}
	out->check = mode == 0;
	out->change.rehearses = mode == 1;
	out->change.phase = direction == 0 ? BM_PHASE_CUTOVER : BM_PHASE_FAILBACK;
	return take_budget(root, out, err) == 0 && take_accept(root, out, err) == 0
			? parse_migration(root, out, err)
			: -1;
}

/* Alphabetical, as the enum; `parse` is NULL where there are no members. */
static const struct {
	const char *name;
	int (*parse)(const json_t *root, struct bm_control_request *out, struct bm_error *err);
} commands[] = {
		[BM_CONTROL_CONFIG_RELOAD] = {"config-reload", NULL},
		[BM_CONTROL_CONFIG_SHOW] = {"config-show", NULL},
		[BM_CONTROL_CUTOVER] = {"cutover", parse_cutover},
		[BM_CONTROL_DOCTOR] = {"doctor", parse_migration},
		[BM_CONTROL_EVENTS] = {"events", parse_events},
		[BM_CONTROL_HEALTH] = {"health", parse_health},
		[BM_CONTROL_MIGRATE] = {"migrate", parse_migrate},
		[BM_CONTROL_NOTIFIED] = {"notified", parse_notified},
		[BM_CONTROL_PAUSE] = {"pause", parse_migration},
		[BM_CONTROL_PLAN] = {"plan", parse_plan},
		[BM_CONTROL_RESUME] = {"resume", parse_migration},
		[BM_CONTROL_SERVICE] = {"service", parse_service},
		[BM_CONTROL_STATUS] = {"status", parse_status},
		[BM_CONTROL_TEARDOWN] = {"teardown", parse_teardown},
		[BM_CONTROL_VERSION] = {"version", NULL},
};
static_assert(BM_COUNT_OF(commands) == BM_CONTROL_COMMAND_COUNT, "a command has no row");

const char *bm_control_command_name(enum bm_control_command command)
{
	return (size_t)command < BM_COUNT_OF(commands) ? commands[command].name : "unknown";
}

static int parse_object(
		const json_t *root, struct bm_control_request *out, struct bm_error *err)
{
	const char *name = text_of(root, "command");

	for (size_t i = 0; i < BM_COUNT_OF(commands); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			out->command = (enum bm_control_command)i;
			return commands[i].parse != NULL ? commands[i].parse(root, out, err)
							 : 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"there is no command '%.40s'; this is bucardo-machine " BM_VERSION,
			name);
}

int bm_control_parse(const char *line, size_t length, struct bm_control_request *out,
		struct bm_error *err)
{
	json_error_t why;
	json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &why);
	int rc;

	*out = (struct bm_control_request){.command = BM_CONTROL_COMMAND_COUNT};
	if (json_is_object(root)) {
		rc = parse_object(root, out, err);
	} else {
		rc = bm_error_set(err, BM_ERR_CONFIG,
				"a request is a JSON object in one line, like {\"command\":\"status\"}");
	}
	json_decref(root);
	return rc;
}
