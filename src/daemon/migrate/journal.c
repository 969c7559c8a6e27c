/* The journal: its tables, and what is read and written of it. */
#include "daemon/migrate/journal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/journal_version.h"

/* ---- reading ---- */

static char *text_at(const struct bm_result *result, size_t row, size_t column)
{
	return bm_strdup(bm_result_get(result, row, column));
}

static int64_t number_at(const struct bm_result *result, size_t row, size_t column)
{
	const char *text = bm_result_get(result, row, column);

	return text != NULL ? strtoll(text, NULL, 10) : 0;
}

static json_t *json_at(const struct bm_result *result, size_t row, size_t column)
{
	const char *text = bm_result_get(result, row, column);

	return text != NULL ? json_loads(text, 0, NULL) : NULL;
}

static int take_migrations(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	struct bm_migrate *migrate = ctx;

	(void)err;
	for (size_t i = 0; i < result->row_count && !migrate->journal_known; i++) {
		const char *until = bm_result_get(result, i, 2);
		struct migration *migration = bm_migrate_find(
				migrate, bm_result_get(result, i, 0));
		if (migration == NULL) {
			migration = bm_migrate_add(migrate, bm_result_get(result, i, 0));
		}
		migration->definition = json_at(result, i, 1);
		bm_definition_renew(migration->definition);
		migration->has_until = until != NULL &&
				bm_phase_parse(until, &migration->until);
		migration->paused = bm_result_get(result, i, 3) != NULL;
		migration->paused_at = number_at(result, i, 3);
		migration->paused_by = text_at(result, i, 4);
		migration->resuming = strcmp(bm_result_get(result, i, 5), "t") == 0;
		bm_leaving_decode(migration, bm_result_get(result, i, 6));
		bm_changing_decode(migration, bm_result_get(result, i, 7));
	}
	return 0;
}

static size_t find_name(const char *name, const char *(*name_of)(size_t index), size_t count)
{
	for (size_t i = 0; name != NULL && i < count; i++) {
		if (strcmp(name_of(i), name) == 0) {
			return i;
		}
	}
	return 0;
}

static const char *state_name(size_t index)
{
	return bm_record_state_name((enum bm_record_state)index);
}

static const char *failure_name(size_t index)
{
	return bm_failure_name((enum bm_failure)index);
}

static struct record *find_record(struct migration *migration, const char *phase)
{
	for (size_t i = 0; migration != NULL && i < RECORD_COUNT; i++) {
		if (strcmp(bm_phase_name(bm_record_phase(i)), phase) == 0) {
			return &migration->records[i];
		}
	}
	return NULL;
}

static int take_phases(void *ctx, const struct bm_result *result, struct bm_error *err)
{
	struct bm_migrate *migrate = ctx;

	(void)err;
	for (size_t i = 0; i < result->row_count && !migrate->journal_known; i++) {
		struct migration *migration = bm_migrate_find(
				migrate, bm_result_get(result, i, 0));
		struct record *record = find_record(migration, bm_result_get(result, i, 1));
		if (record == NULL) {
			continue; /* of a phase that a later version has */
		}
		record->state = (enum bm_record_state)find_name(
				bm_result_get(result, i, 2), state_name, BM_RECORD_STATE_COUNT);
		record->failure = (enum bm_failure)find_name(
				bm_result_get(result, i, 3), failure_name, BM_FAILURE_COUNT);
		record->attempt = (unsigned)number_at(result, i, 4);
		record->started_at = number_at(result, i, 5);
		record->ended_at = number_at(result, i, 6);
		record->error = text_at(result, i, 7);
		record->hint = text_at(result, i, 8);
		record->evidence = text_at(result, i, 9);
		record->findings = json_at(result, i, 10);
		record->done = number_at(result, i, 11);
		record->total = number_at(result, i, 12);
	}
	return 0;
}

/* clang-format off */
static const char tables_sql[] =
#include "daemon/migrate/sql/journal_tables.sql.inc"
;
static const char migrations_sql[] =
#include "daemon/migrate/sql/journal_migrations.sql.inc"
;
static const char phases_sql[] =
#include "daemon/migrate/sql/journal_phases.sql.inc"
;
static const char write_migration_sql[] =
#include "daemon/migrate/sql/write_migration.sql.inc"
;
static const char write_phase_sql[] =
#include "daemon/migrate/sql/write_phase.sql.inc"
;
static const char write_forgotten_sql[] =
#include "daemon/migrate/sql/write_forgotten.sql.inc"
;
/* clang-format on */

static const struct bm_step load_steps[] = {
		{.name = "reading the journal's version",
				.sql = bm_journal_version_sql,
				.on_result = bm_journal_take_version},
		{.name = "creating the journal's tables", .sql = tables_sql},
		{.name = "writing the journal's version", .sql = bm_journal_version_write_sql},
		{.name = "reading the journal's migrations",
				.sql = migrations_sql,
				.on_result = take_migrations},
		{.name = "reading the journal's phases",
				.sql = phases_sql,
				.on_result = take_phases},
};

struct bm_script *bm_journal_load(
		struct bm_migrate *migrate, void (*done)(void *ctx, const struct bm_error *err))
{
	return bm_script_run(migrate->conn, load_steps, BM_COUNT_OF(load_steps), migrate, done);
}

/* ---- writing ---- */

static void on_written(void *ctx, const struct bm_result *result)
{
	struct bm_migrate *migrate = ctx;

	migrate->writing = false;
	if (result->error != NULL) {
		bm_log(BM_LOG_WARN, "migrate", BM_FIELDS(bm_str("err", result->error->message)),
				"cannot write the journal, trying again");
		if (bm_sql_is_gone(result->error)) {
			bm_log(BM_LOG_ERROR, "migrate", BM_FIELDS(bm_str("schema", "machine")),
					"the journal is gone or is not the one that was read: it is "
					"made again, and gets all that is known here");
			bm_migrate_reload_soon(migrate);
		}
		bm_timer_arm(migrate->timer, 1000);
		return;
	}
	migrate->writing_revision->written = migrate->writing_generation;
	bm_migrate_tick_soon(migrate);
}

static void write_row(struct bm_migrate *migrate, struct revision *revision, const char *sql,
		const char *const *params, size_t count)
{
	migrate->writing = true;
	migrate->writing_revision = revision;
	migrate->writing_generation = revision->generation;
	bm_conn_query(migrate->conn, sql, params, count, on_written, migrate);
}

/* A moment as PostgreSQL reads it with to_timestamp(N / 1000.0); NULL for never. */
static const char *moment(int64_t wall_msec, char out[24])
{
	snprintf(out, 24, "%" PRId64, wall_msec);
	return wall_msec > 0 ? out : NULL;
}

static void write_migration(struct migration *migration)
{
	char *definition = json_dumps(migration->definition, JSON_COMPACT);
	char *leaving = bm_leaving_encode(migration);
	char *changing = bm_changing_encode(migration);
	char paused_at[24];
	const char *const params[] = {migration->name, definition,
			migration->has_until ? bm_phase_name(migration->until) : NULL,
			migration->paused ? moment(migration->paused_at, paused_at) : NULL,
			migration->paused ? migration->paused_by : NULL,
			migration->resuming ? "t" : "f", leaving, changing};

	write_row(migration->migrate, &migration->revision, write_migration_sql, params,
			BM_COUNT_OF(params));
	free(definition);
	free(leaving);
	free(changing);
}

static void write_phase(struct migration *migration, enum bm_phase phase)
{
	struct record *record = bm_record_of(migration, phase);
	bool failed = record->state == BM_RECORD_FAILED;
	char *findings = record->findings != NULL ? json_dumps(record->findings, JSON_COMPACT)
						  : NULL;
	char started[24], ended[24], attempt[16], done[24], total[24];
	const char *const params[] = {migration->name, bm_phase_name(phase),
			bm_record_state_name(record->state),
			failed ? bm_failure_name(record->failure) : NULL, attempt,
			moment(record->started_at, started), moment(record->ended_at, ended),
			record->error, record->hint, record->evidence, findings, done, total};

	snprintf(attempt, sizeof(attempt), "%u", record->attempt);
	snprintf(done, sizeof(done), "%" PRId64, record->done);
	snprintf(total, sizeof(total), "%" PRId64, record->total);
	write_row(migration->migrate, &record->revision, write_phase_sql, params,
			BM_COUNT_OF(params));
	free(findings);
}

/* All of it, as if it had never been named. */
static void write_forgotten(struct migration *migration)
{
	const char *const params[] = {migration->name};

	write_row(migration->migrate, &migration->revision, write_forgotten_sql, params,
			BM_COUNT_OF(params));
}

static bool is_written(const struct revision *revision)
{
	return revision->written == revision->generation;
}

bool bm_journal_has_request(const struct migration *migration)
{
	return is_written(&migration->revision);
}

bool bm_journal_is_clean(const struct migration *migration)
{
	for (size_t i = 0; i < RECORD_COUNT; i++) {
		if (!is_written(&migration->records[i].revision)) {
			return false;
		}
	}
	return bm_journal_has_request(migration);
}

/* The migration's own row comes first: a phase says nothing without it. */
static bool write_one_of(struct migration *migration)
{
	if (!is_written(&migration->revision)) {
		(migration->leaving.forgotten ? write_forgotten : write_migration)(migration);
		return true;
	}
	for (size_t i = 0; i < RECORD_COUNT && !migration->leaving.forgotten; i++) {
		if (!is_written(&migration->records[i].revision)) {
			write_phase(migration, bm_record_phase(i));
			return true;
		}
	}
	return false;
}

bool bm_journal_write(struct bm_migrate *migrate)
{
	if (migrate->writing) {
		return true;
	}
	for (size_t i = 0; i < migrate->count; i++) {
		if (write_one_of(migrate->migrations[i])) {
			return true;
		}
	}
	return false;
}
