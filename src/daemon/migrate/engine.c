/*
 * The engine: owns the migrations and runs the tick. A tick asks the pure function
 * in next.c what each migration does next, carries it out, and lets the journal
 * write the next row. Every event ends in a tick.
 */
#include "daemon/migrate/engine.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "daemon/migrate/definition.h"
#include "daemon/migrate/journal.h"

#define LOAD_RETRY_MSEC 2000

/* More steps than one migration can take at once; a loop in the rules must not stop PID 1. */
#define MOST_STEPS 8

/* ---- the migrations ---- */

struct migration *bm_migrate_find(struct bm_migrate *migrate, const char *name)
{
	for (size_t i = 0; i < migrate->count; i++) {
		if (strcmp(migrate->migrations[i]->name, name) == 0) {
			return migrate->migrations[i];
		}
	}
	return NULL;
}

/* Removed only when it is torn down and no write of it is on its way (leaving.c). */
struct migration *bm_migrate_add(struct bm_migrate *migrate, const char *name)
{
	struct migration *migration = bm_alloc(sizeof(*migration));

	migration->name = bm_strdup(name);
	migration->migrate = migrate;
	migration->run_until = BM_PHASE_REPLICATE;
	migration->worker_phase = BM_PHASE_COUNT;
	bm_changing_clear(migration);
	migration->since_msec = bm_clock_msec();
	migrate->migrations = bm_realloc(
			migrate->migrations, migrate->count + 1, sizeof(*migrate->migrations));
	migrate->migrations[migrate->count++] = migration;
	return migration;
}

void bm_migrate_clear(struct migration *migration)
{
	bm_beside_finish(migration);
	for (size_t i = 0; i < RECORD_COUNT; i++) {
		struct record *record = &migration->records[i];
		free(record->error);
		free(record->hint);
		free(record->evidence);
		json_decref(record->findings);
		*record = (struct record){.state = BM_RECORD_PENDING};
	}
	json_decref(migration->definition);
	migration->definition = NULL;
	bm_run_forget_progress(migration);
	free(migration->refusal);
	migration->refusal = NULL;
	free(migration->paused_by);
	migration->paused_by = NULL;
	migration->paused = migration->resuming = migration->has_until = false;
	free(migration->leaving.by);
	free(migration->leaving.without);
	migration->leaving = (struct leaving){.asked = false};
	bm_changing_clear(migration);
}

void bm_migrate_free(struct migration *migration)
{
	bm_phase_host_close(migration->worker);
	bm_migrate_clear(migration);
	json_decref(migration->declared);
	json_decref(migration->cutover.hooks);
	free(migration->finding_views);
	free(migration->name);
	free(migration);
}

void bm_migrate_event(
		struct migration *migration, enum bm_log_level level, const char *format, ...)
{
	struct bm_migrate *migrate = migration->migrate;
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	migrate->host.event(migrate->host.ctx, level, migration->name, text);
}

enum bm_phase bm_migrate_until(const struct migration *migration)
{
	return migration->has_until ? migration->until : migration->run_until;
}

/* ---- declared and journalled ---- */

/*
 * From the schema phase on the destination holds what the definition said. While that phase
 * fails it holds nothing: all of it is one transaction. One that was committed although its
 * answer got lost has a ledger, which knows what was selected.
 */
static bool is_bound(const struct migration *migration)
{
	const struct record *schema = &migration->records[BM_PHASE_SCHEMA];
	bool failed = schema->state != BM_RECORD_DONE && schema->error != NULL;

	for (enum bm_phase phase = BM_PHASE_SCHEMA; phase < BM_PHASE_COUNT; phase++) {
		if (migration->records[phase].state != BM_RECORD_PENDING &&
				!(phase == BM_PHASE_SCHEMA && failed)) {
			return true;
		}
	}
	return false;
}

/* Another rate limit only the workers need to know that heed it. */
static void restart_workers(struct migration *migration)
{
	bool same = bm_definition_is_same_but_copy(migration->definition, migration->declared);
	bool runs = migration->worker_phase < BM_PHASE_COUNT;

	if (same && !(runs && bm_phase_row(migration->worker_phase)->follows_copy)) {
		bm_migrate_event(migration, BM_LOG_INFO,
				"its changed definition is taken over: `copy` alone is another, "
				"nothing is restarted for it");
		return;
	}
	bm_migrate_event(migration, BM_LOG_INFO, "its changed definition is taken over");
	bm_run_cancel(migration); /* it starts again, with the new one */
	bm_beside_cancel(migration);
}

static void take_definition(struct migration *migration)
{
	if (migration->definition != NULL &&
			json_equal(migration->definition, migration->declared)) {
		return;
	}
	if (migration->definition != NULL) {
		restart_workers(migration);
	}
	json_decref(migration->definition);
	migration->definition = json_incref(migration->declared);
	migration->revision.generation++;
	bm_run_retry_now(migration);
}

static void refuse(struct migration *migration, const char *difference)
{
	if (migration->refusal == NULL || strcmp(migration->refusal, difference) != 0) {
		free(migration->refusal);
		migration->refusal = bm_strdup(difference);
		bm_migrate_event(migration, BM_LOG_ERROR,
				"its changed definition is refused: %s", difference);
	}
}

void bm_migrate_reconcile(struct migration *migration)
{
	struct bm_strbuf difference = BM_STRBUF_INIT;

	if (!migration->migrate->journal_known || migration->declared == NULL ||
			migration->leaving.asked || migration->changing.asked) {
		return;
	}
	bm_definition_follow(migration->declared, migration->definition);
	if (migration->definition != NULL && is_bound(migration)) {
		bm_definition_compare(migration->definition, migration->declared, &difference);
	}
	if (difference.length > 0) {
		refuse(migration, bm_strbuf_text(&difference));
	} else {
		free(migration->refusal);
		migration->refusal = NULL;
		take_definition(migration);
	}
	bm_strbuf_finish(&difference);
}

static void declare(struct bm_migrate *migrate, const struct bm_config_migration *config)
{
	struct migration *migration = bm_migrate_find(migrate, config->name);

	if (migration == NULL) {
		migration = bm_migrate_add(migrate, config->name);
	}
	if (migration->configured && migration->run_until != config->run_until) {
		/* The newer wish counts, wherever it was said. */
		migration->has_until = false;
		migration->revision.generation += migration->definition != NULL;
	}
	json_decref(migration->declared);
	migration->declared = bm_definition_create(config);
	migration->run_until = config->run_until;
	migration->cutover.budget_msec = (unsigned)config->cutover_budget_msec;
	migration->cutover.has_way_back = config->cutover_way_back;
	migration->cutover.is_manual = config->cutover_quiesce == BM_QUIESCE_MANUAL;
	bm_hooks_take(migration, config);
	bm_beside_configure(migration, &config->verify);
	migration->configured = true;
	bm_migrate_reconcile(migration);
}

void bm_migrate_retry(struct bm_migrate *migrate)
{
	for (size_t i = 0; i < migrate->count; i++) {
		for (size_t k = 0; k < RECORD_COUNT; k++) {
			struct record *record = &migrate->migrations[i]->records[k];
			if (record->failure != BM_FAILURE_INTERNAL) {
				record->retry_at_msec = 0;
			}
		}
	}
	bm_migrate_tick_soon(migrate);
}

void bm_migrate_configure(struct bm_migrate *migrate, const struct bm_config *config)
{
	bm_doctor_configure(migrate, config);
	for (size_t i = 0; i < config->migration_count; i++) {
		declare(migrate, &config->migrations[i]);
	}
	for (size_t i = 0; i < migrate->count; i++) {
		struct migration *migration = migrate->migrations[i];
		if (migration->configured && !bm_migrate_is_declared(config, migration->name)) {
			migration->configured = false;
			bm_migrate_event(migration, BM_LOG_WARN,
					"machine.yaml does not name it any more: it stays as it is"
					"; `bucardo-machine teardown` removes it");
		}
		bm_leaving_check(migration);
	}
	bm_migrate_retry(migrate);
}

/* ---- the journal ---- */

/* Another database may be there now: it gets all that is known. */
static void write_all_again(struct migration *migration)
{
	for (size_t i = 0; i < RECORD_COUNT; i++) {
		/* What nobody has asked for is not in it. */
		migration->records[i].revision.generation += i < BM_PHASE_COUNT ||
				migration->records[i].state != BM_RECORD_PENDING;
	}
	migration->revision.generation += migration->definition != NULL;
}

static void on_loaded(void *ctx, const struct bm_error *err)
{
	struct bm_migrate *migrate = ctx;
	bool was_known = migrate->journal_known;

	migrate->loading = NULL;
	if (err != NULL) {
		bm_log(BM_LOG_WARN, "migrate", BM_FIELDS(bm_str("err", err->message)),
				"cannot read the journal, trying again");
		bm_text_copy(migrate->journal_error, sizeof(migrate->journal_error),
				err->message);
		migrate->load_at_msec = bm_clock_msec() + LOAD_RETRY_MSEC;
		bm_migrate_tick_soon(migrate);
		return;
	}
	migrate->journal_error[0] = '\0';
	migrate->journal_known = true;
	migrate->journal_due = false;
	for (size_t i = 0; i < migrate->count; i++) {
		if (was_known) {
			write_all_again(migrate->migrations[i]);
		}
		bm_migrate_reconcile(migrate->migrations[i]);
		bm_leaving_check(migrate->migrations[i]);
	}
	bm_migrate_tick_soon(migrate);
}

static bool may_load(const struct bm_migrate *migrate)
{
	return migrate->journal_due && migrate->allowed && migrate->loading == NULL &&
			!migrate->stopped;
}

static void load_if_due(struct bm_migrate *migrate)
{
	if (may_load(migrate) && bm_clock_msec() >= migrate->load_at_msec) {
		migrate->loading = bm_journal_load(migrate, on_loaded);
	}
}

void bm_migrate_reload_soon(struct bm_migrate *migrate)
{
	if (!migrate->journal_due) {
		migrate->journal_due = true;
		migrate->load_at_msec = bm_clock_msec() + LOAD_RETRY_MSEC;
	}
	bm_migrate_tick_soon(migrate);
}

void bm_migrate_allow(struct bm_migrate *migrate, bool allowed)
{
	if (allowed == migrate->allowed || migrate->stopped) {
		return;
	}
	migrate->allowed = allowed;
	migrate->journal_due = true; /* what is there next time may be another database */
	migrate->load_at_msec = 0;
	if (!allowed) {
		bm_script_cancel(migrate->loading);
		migrate->loading = NULL;
	}
	load_if_due(migrate);
	bm_migrate_tick_soon(migrate);
}

/* ---- the tick ---- */

static struct bm_next ask(struct migration *migration)
{
	struct bm_migrate *migrate = migration->migrate;
	struct bm_next_record records[RECORD_COUNT];

	for (size_t i = 0; i < RECORD_COUNT; i++) {
		const struct record *record = &migration->records[i];
		records[i] = (struct bm_next_record){
				record->state, record->failure, record->retry_at_msec};
	}
	struct bm_next_input in = {
			.allowed = migrate->allowed && !migrate->journal_due &&
					!migrate->stopped,
			.journal_known = migrate->journal_known,
			.journal_clean = bm_journal_is_clean(migration),
			.configured = migration->configured,
			.refused = migration->refusal != NULL,
			.paused = migration->paused,
			.until = bm_migrate_until(migration),
			.worker = migration->worker_phase,
			.records = records,
			.teardown = migration->leaving.asked ? &records[BM_PHASE_COUNT] : NULL,
			.changing = migration->changing.asked
					? &records[bm_record_of(migration,
								   migration->changing.phase) -
							  migration->records]
					: NULL,
			.change = migration->changing.phase,
			.now_msec = bm_clock_msec(),
	};
	return bm_migrate_next(&in);
}

/* True when another step may follow at once. */
static bool take_step(struct migration *migration)
{
	struct bm_next next = ask(migration);

	if (next.status != migration->next.status || next.phase != migration->next.phase) {
		migration->since_msec = bm_clock_msec();
	}
	migration->next = next;
	switch (next.step) {
	case BM_STEP_WAIT:
		return false;
	case BM_STEP_BEGIN:
		bm_run_begin(migration, next.phase);
		return true;
	case BM_STEP_SPAWN:
		bm_run_spawn(migration, next.phase);
		return true;
	case BM_STEP_CANCEL:
		bm_run_cancel(migration);
		return true;
	}
	return false;
}

static void arm_retry(struct bm_migrate *migrate)
{
	uint64_t next = UINT64_MAX, now = bm_clock_msec();

	if (may_load(migrate)) {
		next = migrate->load_at_msec > now ? migrate->load_at_msec : now;
	}
	for (size_t i = 0; i < migrate->count; i++) {
		uint64_t wake = bm_beside_wake_msec(migrate->migrations[i], now);
		next = wake < next ? wake : next;
		for (size_t k = 0; k < RECORD_COUNT; k++) {
			const struct record *record = &migrate->migrations[i]->records[k];
			if (record->state == BM_RECORD_FAILED && record->retry_at_msec > now &&
					record->retry_at_msec < next) {
				next = record->retry_at_msec;
			}
		}
	}
	if (next != UINT64_MAX) {
		bm_timer_arm(migrate->timer, next - now);
	}
}

static void tick(void *ctx)
{
	struct bm_migrate *migrate = ctx;

	migrate->tick_due = false;
	if (migrate->stopped) {
		return;
	}
	bm_leaving_reconcile(migrate);
	for (size_t i = 0; i < migrate->count; i++) {
		for (int step = 0; step < MOST_STEPS && take_step(migrate->migrations[i]);
				step++) {
		}
		bm_beside_update(migrate->migrations[i]);
		bm_run_checkpoint(migrate->migrations[i]);
	}
	arm_retry(migrate);
	if (migrate->allowed && !migrate->journal_due) {
		bm_journal_write(migrate);
	}
	migrate->host.changed(migrate->host.ctx);
}

void bm_migrate_tick_soon(struct bm_migrate *migrate)
{
	if (!migrate->tick_due) {
		migrate->tick_due = true;
		bm_timer_arm(migrate->soon, 0);
	}
}

static void on_timer(void *ctx)
{
	struct bm_migrate *migrate = ctx;

	load_if_due(migrate);
	bm_migrate_tick_soon(migrate);
}

/* ---- life ---- */

struct bm_migrate *bm_migrate_create(struct bm_loop *loop,
		const struct bm_migrate_options *options, const struct bm_migrate_host *host,
		struct bm_conn *conn)
{
	struct bm_migrate *migrate = bm_alloc(sizeof(*migrate));

	migrate->loop = loop;
	migrate->conn = conn;
	migrate->host = *host;
	migrate->program = bm_strdup(options->program);
	migrate->socket_dir = bm_strdup(options->socket_dir);
	migrate->pgpass = bm_strdup(options->pgpass);
	migrate->timer = bm_timer_create(loop, on_timer, migrate);
	migrate->soon = bm_timer_create(loop, tick, migrate);
	return migrate;
}

void bm_migrate_stop(struct bm_migrate *migrate)
{
	if (migrate->stopped) {
		return;
	}
	migrate->stopped = true;
	for (size_t i = 0; i < migrate->count; i++) {
		bm_run_cancel(migrate->migrations[i]);
		bm_beside_cancel(migrate->migrations[i]);
	}
}

void bm_migrate_destroy(struct bm_migrate *migrate)
{
	if (migrate == NULL) {
		return;
	}
	bm_script_cancel(migrate->loading);
	bm_timer_close(migrate->timer);
	bm_timer_close(migrate->soon);
	free(migrate->http_certificate);
	json_decref(migrate->receivers);
	for (size_t i = 0; i < migrate->count; i++) {
		bm_migrate_free(migrate->migrations[i]);
	}
	free(migrate->migrations);
	free(migrate->program);
	free(migrate->socket_dir);
	free(migrate->pgpass);
	free(migrate);
}
