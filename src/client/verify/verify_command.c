/*
 * The command `verify`: both databases compared, in the process that a person typed. Of a
 * migration the machine says which databases and tables; with --source and --destination it
 * needs no machine.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/verify.h"
#include "client/cli/command.h"
#include "client/commands/control_client.h"
#include "client/terminal/text.h"
#include "client/verify/verify_report.h"
#include "client/verify/verify_sides.h"
#include "client/verify/verify_view.h"

#define USUAL_WAIT_SEC 10
#define USUAL_JOBS 4

struct compared { /* what is compared: texts belong to `answer` and the command line */
	struct bm_conninfo source, destination;
	struct bm_table_filter filter, only;
	struct bm_role_rules roles;
	struct bm_extension_rules extensions;
	json_t *answer; /* of the machine; NULL without one */
};

/* ---- what is compared ---- */

/* A list of words, to NULL (free()); NULL when there is none. */
static const char **take_words(const json_t *tables, const char *name)
{
	const json_t *list = json_object_get(tables, name);
	size_t count = json_array_size(list);
	const char **patterns = count > 0 ? bm_alloc((count + 1) * sizeof(*patterns)) : NULL;

	for (size_t i = 0; i < count; i++) {
		patterns[i] = json_string_value(json_array_get(list, i));
	}
	return patterns;
}

static int take_migration(
		const struct cli_call *call, struct compared *out, struct bm_error *err)
{
	out->answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s}", "command", "plan", "migration", call->words[0]),
			err);
	const json_t *migration = json_object_get(
			json_object_get(out->answer, "request"), "migration");
	const json_t *tables = json_object_get(migration, "tables");
	const json_t *extensions = json_object_get(migration, "extensions");

	if (migration == NULL) {
		return out->answer == NULL
				? -1
				: bm_error_set(err, BM_ERR_INTERNAL,
						  "the machine's answer names no databases");
	}
	cli_verify_take_endpoint(json_object_get(migration, "source"), &out->source);
	cli_verify_take_endpoint(json_object_get(migration, "destination"), &out->destination);
	out->filter.include = take_words(tables, "include");
	out->filter.exclude = take_words(tables, "exclude");
	out->roles = (struct bm_role_rules){
			.drop_owners = json_object_get(migration, "owners") != NULL,
			.drop_grants = json_object_get(migration, "grants") != NULL,
			.names = take_words(migration, "roles")};
	out->extensions = (struct bm_extension_rules){.skip = take_words(extensions, "skip"),
			.versions = take_words(extensions, "versions")};
	cli_verify_use_passfile(call->runtime);
	return 0;
}

static int take_conninfos(
		const struct cli_call *call, struct compared *out, struct bm_error *err)
{
	return bm_conninfo_parse(call->source, "source", &out->source, err) == 0
			? bm_conninfo_parse(call->destination, "destination", &out->destination,
					  err)
			: -1;
}

static int take_compared(
		const struct cli_call *call, struct compared *out, struct bm_error *err)
{
	*out = (struct compared){
			.only = {.include = call->tables[0] != NULL ? call->tables : NULL}};
	if (call->word_count == 1 && call->source == NULL && call->destination == NULL) {
		return take_migration(call, out, err);
	}
	if (call->word_count == 0 && call->source != NULL && call->destination != NULL) {
		return take_conninfos(call, out, err);
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"verify takes the NAME of a migration, or --source and --destination; "
			"`bucardo-machine help verify` explains them");
}

static void finish_compared(struct compared *compared)
{
	bm_conninfo_finish(&compared->source);
	bm_conninfo_finish(&compared->destination);
	free((void *)(uintptr_t)compared->filter.include);
	free((void *)(uintptr_t)compared->filter.exclude);
	free((void *)(uintptr_t)compared->roles.names);
	free((void *)(uintptr_t)compared->extensions.skip);
	free((void *)(uintptr_t)compared->extensions.versions);
	json_decref(compared->answer);
}

/* ---- whether it can be done now ---- */

static bool is_copied(const json_t *migration)
{
	size_t index;
	const json_t *phase;
	bool copied = false;

	json_array_foreach(json_object_get(migration, "phases"), index, phase)
	{
		copied = copied ||
				(strcmp(cli_text_of(phase, "phase"),
						 bm_phase_name(BM_PHASE_REPLICATE)) == 0 &&
						strcmp(cli_text_of(phase, "state"), "done") ==
								0);
	}
	return copied;
}

/* What is not copied yet is no difference; what is sent again has to be applied by somebody. */
static int check_migration(
		const struct cli_call *call, const json_t *migration, struct bm_error *err)
{
	const char *status = cli_text_of(migration, "status");
	const char *why = cli_text_of(migration, "why");

	if (!is_copied(migration)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"%s is not copied yet, so rows would be missing: phase replicate is "
				"not done, and %s is next or under way. Verify it once `status` says live",
				call->words[0], cli_text_of(migration, "phase"));
	}
	if (call->repair && !json_is_true(json_object_get(migration, "live"))) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"nothing is repaired, and nothing was changed: rows are sent again "
				"through the replication, and %s does not replicate now (%s%s%s)",
				call->words[0], status, why[0] != '\0' ? ": " : "", why);
	}
	return 0;
}

static int ask_machine(const struct cli_call *call, struct bm_error *err)
{
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), err);
	const json_t *migrations = json_object_get(
			json_object_get(answer, "status"), "migrations");
	int rc = answer == NULL
			? -1
			: check_migration(call, cli_text_named(migrations, call->words[0]),
					  err);

	json_decref(answer);
	return rc;
}

static int check(const struct cli_call *call, struct bm_error *err)
{
	if (call->delete_extra && !call->repair) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"--delete-extra goes with --repair: say both, or neither");
	}
	if (call->jobs > BM_VERIFY_JOBS_MOST) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"--jobs of verify is a number from 1 to %u",
				BM_VERIFY_JOBS_MOST);
	}
	return call->word_count > 0 ? ask_machine(call, err) : 0;
}

static bool is_agreed(const struct cli_call *call)
{
	if (call->delete_extra && !call->yes) {
		puts("Rows that only the side that follows has are deleted there.");
	}
	return !call->delete_extra || cli_confirm(call, "nothing was compared or deleted");
}

/* ---- */

/* For whoever reads the report without knowing how it was asked for. */
static json_t *settings_of(const struct cli_call *call, const struct bm_verify_options *options)
{
	json_t *tables = json_array();

	for (size_t i = 0; call->tables[i] != NULL; i++) {
		json_array_append_new(tables, json_string(call->tables[i]));
	}
	uint64_t snapshot_msec = options->snapshot_msec > 0 ? options->snapshot_msec
							    : BM_VERIFY_SNAPSHOT_MSEC;
	return json_pack("{s:o, s:o, s:I, s:i, s:I, s:b, s:b}", "migration",
			call->word_count > 0 ? json_string(call->words[0]) : json_null(),
			"tables", tables, "wait_seconds",
			(json_int_t)(options->wait_msec / 1000), "jobs", (int)options->jobs,
			"max_snapshot_seconds", (json_int_t)(snapshot_msec / 1000),
			"incremental", (int)options->trusting, "show_values",
			(int)options->show_values);
}

static int write_report(const struct cli_call *call, json_t *report, enum bm_proof result)
{
	struct bm_error err = BM_ERROR_INIT;

	if (call->report == NULL ||
			cli_verify_report_write(call->report, report, result, &err) == 0) {
		return 0;
	}
	fprintf(stderr, "bucardo-machine: verify: %s\n", err.message);
	return -1;
}

static int compare(const struct cli_call *call, const struct compared *compared)
{
	struct cli_verify_view view = {
			.json = call->json, .terminal = isatty(STDOUT_FILENO) == 1};
	struct bm_error err = BM_ERROR_INIT;
	enum bm_proof result;
	const struct bm_verify_options options = {.source = &compared->source,
			.destination = &compared->destination,
			.filter = &compared->filter,
			.only = compared->only.include != NULL ? &compared->only : NULL,
			.roles = &compared->roles,
			.extensions = &compared->extensions,
			.migration = call->word_count == 1 ? call->words[0] : NULL,
			.trusting = call->incremental,
			.wait_msec = 1000 *
					(uint64_t)(call->wait_sec > 0 ? call->wait_sec
								      : USUAL_WAIT_SEC),
			.jobs = call->jobs > 0 ? call->jobs : USUAL_JOBS,
			.snapshot_msec = 1000 * (uint64_t)call->snapshot_sec,
			.portable_hash = call->portable_hash,
			.show_values = call->show_values,
			.repair = call->repair,
			.delete_extra = call->delete_extra,
			.on_object = cli_verify_object,
			.on_progress = cli_verify_progress,
			.ctx = &view};
	static const int codes[] = {[BM_PROOF_EQUAL] = CLI_OK,
			[BM_PROOF_IN_FLIGHT] = CLI_UNPROVEN,
			[BM_PROOF_UNPROVEN] = CLI_UNPROVEN,
			[BM_PROOF_DIFFERENT] = CLI_DIFFERENT};

	json_t *report = bm_verify_run(&options, &result, &err);
	if (report == NULL) {
		cli_verify_close_line(&view);
		fprintf(stderr, "bucardo-machine: verify: %s\n", err.message);
		return CLI_FAILED;
	}
	json_object_set_new(report, "settings", settings_of(call, &options));
	cli_verify_result(&view, report, result);
	int rc = write_report(call, report, result);
	json_decref(report);
	return rc == 0 ? codes[result] : CLI_FAILED;
}

int cli_verify_clone(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct compared compared = {
			.filter = {.include = call->include[0] != NULL ? call->include : NULL,
					.exclude = call->exclude[0] != NULL ? call->exclude
									    : NULL}};
	int rc = take_conninfos(call, &compared, &err);

	if (rc != 0) {
		fprintf(stderr, "bucardo-machine: clone: %s\n", err.message);
	}
	rc = rc == 0 ? compare(call, &compared) : CLI_FAILED;
	bm_conninfo_finish(&compared.source);
	bm_conninfo_finish(&compared.destination);
	return rc;
}

int cli_verify(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct compared compared;

	if (call->report != NULL && cli_verify_report_check(call->report, &err) != 0) {
		fprintf(stderr, "bucardo-machine: verify: %s\n", err.message);
		return CLI_FAILED;
	}
	int rc = take_compared(call, &compared, &err);

	rc = rc == 0 ? check(call, &err) : rc;
	if (rc != 0) {
		fprintf(stderr, "bucardo-machine: verify: %s\n", err.message);
	}
	rc = rc == 0 ? is_agreed(call) ? compare(call, &compared) : CLI_FAILED
			: err.code == BM_ERR_CONFIG ? CLI_USAGE
						    : CLI_FAILED;
	finish_compared(&compared);
	return rc;
}
