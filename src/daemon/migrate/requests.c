/* What a person asks of a migration: go on, pause, resume, and a look ahead. */
#include "daemon/migrate/engine.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/words.h"
#include "daemon/migrate/definition.h"

static const char *name_at(const void *ctx, size_t index)
{
	const struct bm_migrate *migrate = ctx;

	return index < migrate->count ? migrate->migrations[index]->name : NULL;
}

static int no_such_migration(
		const struct bm_migrate *migrate, const char *name, struct bm_error *err)
{
	struct bm_strbuf names = BM_STRBUF_INIT;

	for (size_t i = 0; i < migrate->count; i++) {
		bm_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "",
				migrate->migrations[i]->name);
	}
	const char *meant = bm_words_nearest(name, name_at, migrate);
	bm_error_set(err, BM_ERR_CONFIG, "there is no migration '%s'; %s%s%s%s%s", name,
			meant != NULL ? "did you mean '" : "", meant != NULL ? meant : "",
			meant != NULL ? "'? " : "",
			names.length > 0 ? "there are: " : "machine.yaml declares none",
			bm_strbuf_text(&names));
	bm_strbuf_finish(&names);
	return -1;
}

/* The last phase that was begun; -1: none was. */
static int furthest_phase(const struct migration *migration)
{
	int furthest = -1;

	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		if (migration->records[phase].state != BM_RECORD_PENDING) {
			furthest = (int)phase;
		}
	}
	return furthest;
}

/* Written with it: a crash takes no resume back. */
static void end_pause(struct migration *migration)
{
	if (migration->paused &&
			migration->records[BM_PHASE_REPLICATE].state != BM_RECORD_PENDING) {
		migration->resuming = true;
	}
	migration->paused = false;
	migration->paused_at = 0;
	free(migration->paused_by);
	migration->paused_by = NULL;
}

/* A definition that is refused lets nothing begin, whoever asks. */
static int must_be_taken(const struct migration *migration, struct bm_error *err)
{
	if (migration->refusal == NULL) {
		return 0;
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"migration '%s' cannot go on, its changed definition is refused: %s; %s",
			migration->name, migration->refusal, BM_REFUSAL_HINT);
}

static int go(struct migration *migration, enum bm_phase until, const char *by,
		struct bm_error *err)
{
	if (must_be_taken(migration, err) != 0) {
		return -1;
	}
	if (furthest_phase(migration) > (int)until) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"migration '%s' is past '%s' already: it is in '%s'",
				migration->name, bm_phase_name(until),
				bm_phase_name((enum bm_phase)furthest_phase(migration)));
	}
	migration->has_until = true;
	migration->until = until;
	end_pause(migration);
	bm_run_retry_now(migration);
	bm_migrate_event(migration, BM_LOG_INFO, "goes on until %s, asked by %s",
			bm_phase_name(until), by);
	return 0;
}

static int pause_migration(struct migration *migration, enum bm_phase until, const char *by,
		struct bm_error *err)
{
	(void)until;
	if (bm_changing_must_rest(migration, err) != 0) {
		return -1;
	}
	if (migration->paused) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"migration '%s' is paused already, by %s", migration->name,
				migration->paused_by);
	}
	migration->paused = true;
	migration->resuming = false;
	migration->paused_at = bm_clock_wall_msec();
	migration->paused_by = bm_strdup(by);
	bm_migrate_event(migration, BM_LOG_INFO, "paused by %s", by);
	return 0;
}

static int resume(struct migration *migration, enum bm_phase until, const char *by,
		struct bm_error *err)
{
	(void)until;
	/* What a pause has stopped goes on with the definition that is in force. */
	if (!migration->paused && must_be_taken(migration, err) != 0) {
		return -1;
	}
	end_pause(migration);
	bm_run_retry_now(migration);
	bm_migrate_event(migration, BM_LOG_INFO, "resumed by %s", by);
	return 0;
}

struct migration *bm_migrate_known(
		struct bm_migrate *migrate, const char *name, struct bm_error *err)
{
	struct migration *migration = bm_migrate_find(migrate, name);

	if (migration == NULL) {
		no_such_migration(migrate, name, err);
		return NULL;
	}
	if (!migrate->journal_known) {
		bm_error_set(err, BM_ERR_TRANSIENT,
				"the journal was not read yet, so that what is said now could get "
				"lost: try again when `bucardo-machine status` shows postgres ready");
		return NULL;
	}
	return migration;
}

/* What is torn down takes no other request. */
static int must_stay(struct migration *migration, struct bm_error *err)
{
	const struct bm_leaving_view leaving = bm_leaving_view_of(migration);

	if (!leaving.asked) {
		return 0;
	}
	return bm_error_set(err, BM_ERR_PRECONDITION, "migration '%s' %s%s", migration->name,
			leaving.state == BM_RECORD_DONE ? "is torn down: "
							: "is being torn down",
			leaving.state == BM_RECORD_DONE ? leaving.hint : "");
}

int bm_migrate_request(struct bm_migrate *migrate, enum bm_migrate_verb verb, const char *name,
		enum bm_phase until, const char *by, struct bm_error *err)
{
	static int (*const verbs[])(struct migration * migration, enum bm_phase until,
			const char *by, struct bm_error *err) = {
			[BM_MIGRATE_GO] = go,
			[BM_MIGRATE_PAUSE] = pause_migration,
			[BM_MIGRATE_RESUME] = resume,
	};
	struct migration *migration = bm_migrate_known(migrate, name, err);

	if (migration == NULL ||
			(verb != BM_MIGRATE_RESUME && must_stay(migration, err) != 0)) {
		return -1;
	}
	if (verbs[verb](migration, until, by, err) != 0) {
		return -1;
	}
	migration->revision.generation++;
	bm_migrate_tick_soon(migrate);
	return 0;
}

void bm_migrate_resumed(struct bm_migrate *migrate, const char *name)
{
	struct migration *migration = bm_migrate_find(migrate, name);

	if (migration != NULL && migration->resuming) {
		migration->resuming = false;
		migration->revision.generation++;
		bm_migrate_tick_soon(migrate);
	}
}

char *bm_migrate_preflight_request(
		struct bm_migrate *migrate, const char *name, bool fix, struct bm_error *err)
{
	struct migration *migration = bm_migrate_find(migrate, name);
	const struct json_t *definition = NULL;

	if (migration != NULL && must_stay(migration, err) != 0) {
		return NULL;
	}

	if (migration != NULL) {
		definition = migration->declared != NULL ? migration->declared
							 : migration->definition;
	}
	if (definition == NULL) {
		no_such_migration(migrate, name, err);
		return NULL;
	}
	return bm_definition_request(definition, BM_PHASE_PREFLIGHT, migrate->socket_dir,
			fix ? BM_REQUEST_FIX : BM_REQUEST_PLAN, migration->refusal);
}
