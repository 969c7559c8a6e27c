/* Live or not, which part a database has, and what is not kept in step. */
#include "daemon/status/migration.h"

#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/syncs.h"

static bool bucardo_runs(const struct bm_status *status)
{
	for (size_t i = 0; i < status->unit_count; i++) {
		if (strcmp(status->units[i].kind, "bucardo") == 0) {
			return status->units[i].view.state == BM_UNIT_READY;
		}
	}
	return false;
}

/* The engine has nothing left to do, and what changes is to be applied. */
static bool has_all_done(const struct bm_migration_view *migration)
{
	return migration->status == BM_MIGRATION_DONE &&
			migration->phase == BM_PHASE_REPLICATE && migration->released &&
			migration->phases != NULL &&
			migration->phases[BM_PHASE_REPLICATE].state == BM_RECORD_DONE;
}

static bool has_sync(
		const struct bm_status *status, const char *migration, enum bm_health health)
{
	for (size_t i = 0; i < status->sync_count; i++) {
		if (status->syncs[i].health == health &&
				bm_sync_is_of(status->syncs[i].name, migration)) {
			return true;
		}
	}
	return false;
}

const char *bm_migration_word(
		const struct bm_status *status, const struct bm_migration_view *migration)
{
	if (!has_all_done(migration)) {
		return bm_migration_status_name(migration->status);
	}
	if (!bucardo_runs(status) || has_sync(status, migration->name, BM_HEALTH_UNREACHABLE)) {
		return "halted";
	}
	return has_sync(status, migration->name, BM_HEALTH_STARTING) ? "starting" : "live";
}

bool bm_migration_is_live(
		const struct bm_status *status, const struct bm_migration_view *migration)
{
	return strcmp(bm_migration_word(status, migration), "live") == 0;
}

/* ---- the part of a database ---- */

static bool is_end_of(const char *database, const char *migration, const char *end)
{
	size_t length = strlen(migration);

	return strncmp(database, migration, length) == 0 && database[length] == '_' &&
			strcmp(database + length + 1, end) == 0;
}

static bool is_destination_live(const struct bm_migration_view *migration)
{
	json_t *evidence = json_loads(migration->reconcile.evidence, 0, NULL);
	const char *side = json_string_value(
			json_object_get(json_object_get(evidence, "live"), "side"));
	bool is_live = side != NULL && strcmp(side, "destination") == 0;

	json_decref(evidence);
	return is_live;
}

const char *bm_database_part(
		const struct bm_status *status, const struct bm_status_database *database)
{
	for (size_t i = 0; i < status->migration_count; i++) {
		const struct bm_migration_view *migration = &status->migrations[i];
		if (is_end_of(database->name, migration->name, "source")) {
			return "source";
		}
		if (is_end_of(database->name, migration->name, "destination")) {
			return is_destination_live(migration) ? "live" : "destination";
		}
	}
	return strcmp(database->role, "target") == 0 ? "destination" : "source";
}

bool bm_migration_is_cut_off(
		const struct bm_status *status, const struct bm_migration_view *migration)
{
	for (size_t i = 0; i < status->database_count; i++) {
		const struct bm_status_database *database = &status->databases[i];
		if (database->reach == BM_REACH_NO &&
				(is_end_of(database->name, migration->name, "source") ||
						is_end_of(database->name, migration->name,
								"destination"))) {
			return true;
		}
	}
	return false;
}

/* ---- what is wrong ---- */

void bm_doctor_set(json_t *migration, json_t *look)
{
	json_t *findings = json_incref(json_object_get(look, "findings"));

	json_object_del(look, "findings");
	json_object_del(look, "fading");
	json_object_set_new(migration, "doctor", findings != NULL ? findings : json_null());
	json_object_set_new(migration, "doctor_look", look);
}

/* ---- what is not kept in step ---- */

/* The worker's clock is ours: CLOCK_BOOTTIME of one computer. */
static void set_age(json_t *entry, const struct bm_status *status, int64_t wall_msec)
{
	int64_t counted = json_integer_value(json_object_get(entry, "counted_ms"));
	int64_t age = (int64_t)status->now_msec - counted;
	char text[BM_CLOCK_TEXT_SIZE];

	json_object_del(entry, "counted_ms");
	if (counted <= 0 || age < 0) {
		json_object_set_new(entry, "counted_at", json_null());
		json_object_set_new(entry, "age_msec", json_null());
		return;
	}
	json_object_set_new(entry, "counted_at",
			json_string(bm_clock_format(wall_msec - age, text)));
	json_object_set_new(entry, "age_msec", json_integer(age));
}

json_t *bm_not_in_step_json(
		json_t *reconcile, const struct bm_status *status, int64_t wall_msec)
{
	json_t *list = json_object_get(reconcile, "not_in_step");
	json_t *copy = json_is_array(list) ? json_deep_copy(list) : json_null();
	size_t index;
	json_t *entry;

	json_object_del(reconcile, "not_in_step");
	json_array_foreach(copy, index, entry)
	{
		set_age(entry, status, wall_msec);
	}
	return copy;
}
