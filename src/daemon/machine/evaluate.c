/*
 * The state of the whole machine in one word, one sentence and one piece of
 * advice: the first condition of the list that applies.
 */
#include "daemon/machine/internal.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/password.h"

struct evaluation {
	enum bm_machine_state state;
	char why[768], advice[512];
};

#define WHY(result, ...) snprintf((result)->why, sizeof((result)->why), __VA_ARGS__)
#define ADVISE(result, ...) snprintf((result)->advice, sizeof((result)->advice), __VA_ARGS__)

static bool is_stopping(struct bm_machine *machine, struct evaluation *result)
{
	result->state = BM_MACHINE_STOPPING;
	WHY(result, "%s", machine->stop.why);
	return machine->stop.asked;
}

static bool is_holding(struct bm_machine *machine, struct evaluation *result)
{
	result->state = BM_MACHINE_HOLDING;
	WHY(result, "%s", machine->volume.hold.why);
	ADVISE(result, "%s", machine->volume.hold.hint);
	return machine->volume.hold.active;
}

bool bm_evaluate_is_at_last_step(const struct bm_sync_view *sync)
{
	return sync->health == BM_HEALTH_STALLED && sync->step == BM_ESCALATION_HOLD;
}

static bool is_at_last_step(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < bm_bucardo_sync_count(machine->bucardo); i++) {
		struct bm_sync_view sync = bm_bucardo_sync(machine->bucardo, i);
		if (bm_evaluate_is_at_last_step(&sync)) {
			result->state = BM_MACHINE_HOLDING;
			WHY(result, "sync '%s' is stalled, and nothing helped: %s", sync.name,
					sync.why);
			ADVISE(result,
					"look at `bucardo-machine status` and at the log of both "
					"databases; all is tried again every 10 minutes, and by "
					"`bucardo-machine service restart bucardo` at once");
			return true;
		}
	}
	return false;
}

static bool is_refused(struct bm_machine *machine, struct evaluation *result)
{
	const char *refusal = bm_bucardo_refusal(machine->bucardo);

	result->state = BM_MACHINE_HOLDING;
	WHY(result, "%s", refusal);
	ADVISE(result, "%s; it is tried again by itself", bm_bucardo_refusal_hint);
	return refusal[0] != '\0';
}

static bool is_missing_cluster(struct bm_machine *machine, struct evaluation *result)
{
	WHY(result, "cannot create the control cluster: %s", machine->install.cluster_error);
	ADVISE(result, "the log has initdb's output; it is tried again by itself");
	return machine->install.cluster_error[0] != '\0';
}

static bool is_not_cleared(struct bm_machine *machine, struct evaluation *result)
{
	WHY(result, "cannot clear what an earlier machine left: %s",
			machine->install.clear_error);
	ADVISE(result, "see to what stands in the way; it is tried again by itself");
	return machine->install.clear_error[0] != '\0';
}

static bool is_older(struct bm_machine *machine, struct evaluation *result)
{
	result->state = BM_MACHINE_HOLDING;
	WHY(result, "%s", machine->install.error);
	ADVISE(result,
			"run that version of bucardo-machine, or a later one, on this volume; "
			"nothing on the volume and on the databases was changed");
	return machine->install.is_older;
}

static bool is_not_installed(struct bm_machine *machine, struct evaluation *result)
{
	WHY(result, "cannot install Bucardo: %s", machine->install.error);
	ADVISE(result, "the log has the installer's output; it is tried again by itself");
	return machine->install.error[0] != '\0';
}

/* What it says is not in force, and whoever wrote it may not have looked. */
static bool has_rejected_config(struct bm_machine *machine, struct evaluation *result)
{
	const char *errors = bm_strbuf_text(&machine->settings.errors);
	size_t first = strcspn(errors, "\n");
	size_t others = 0;

	for (const char *p = errors; *p != '\0'; p++) {
		others += *p == '\n' && p[1] != '\0';
	}
	if (strcmp(machine->settings.state, "rejected") != 0) {
		return false;
	}
	if (strncmp(errors, "machine.yaml is gone", strlen("machine.yaml is gone")) == 0) {
		WHY(result, "%.*s", (int)first, errors);
		return true;
	}
	WHY(result, "machine.yaml is rejected, the configuration before it stays in force: %.*s",
			(int)first, errors);
	if (others > 0) {
		ADVISE(result, "correct it (there %s %zu more: `bucardo-machine config check` shows all); it is taken by itself",
				others == 1 ? "is" : "are", others);
	} else {
		ADVISE(result, "correct it; it is taken by itself");
	}
	return true;
}

/* Somebody has to correct a line of pgpass, whatever else is wrong because of it. */
static bool has_wrong_password(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < machine->view.database_count; i++) {
		const struct kept_database *database = &machine->view.databases[i];
		struct bm_strbuf line = BM_STRBUF_INIT;
		bool found = database->reach == BM_REACH_NO &&
				bm_password_find(database->error, &line);
		if (found) {
			WHY(result, "database '%s' cannot be used: %s", database->name,
					database->error);
			ADVISE(result, "correct the line %s:PASSWORD of pgpass; it is taken by itself",
					bm_strbuf_text(&line));
		}
		bm_strbuf_finish(&line);
		if (found) {
			return true;
		}
	}
	return false;
}

static bool is_stopped_by_operator(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		const struct slot *slot = machine->units.slots[i];
		char when[BM_CLOCK_TEXT_SIZE];
		if (slot->stop.stopped && !slot->retired && slot->role != BM_ROLE_CLIENT) {
			WHY(result, "'%s' is stopped since %s by %s", slot->name,
					bm_clock_format(slot->stop.at, when), slot->stop.by);
			ADVISE(result, "`bucardo-machine service start %s` starts it again",
					slot->name);
			return true;
		}
	}
	return false;
}

static bool is_waiting_for_database(struct bm_machine *machine, struct evaluation *result)
{
	WHY(result, "Bucardo waits: %s", bm_strbuf_text(&machine->unreachable));
	ADVISE(result, "see to that database or the way to it; replication goes on by itself");
	return machine->install.installed && machine->unreachable.length > 0 &&
			bm_unit_state(machine->units.bucardo->unit) != BM_UNIT_READY;
}

static bool is_restarted_again(struct bm_machine *machine, struct evaluation *result)
{
	struct bm_strbuf why = BM_STRBUF_INIT;
	bool many = bm_restarts_are_many(&machine->restarts, bm_clock_msec(), &why);

	if (many) {
		WHY(result, "%s", bm_strbuf_text(&why));
		ADVISE(result,
				"look for the cause in the log, where Bucardo says what it does; "
				"`bucardo-machine service stop bucardo` makes it quiet meanwhile");
	}
	bm_strbuf_finish(&why);
	return many;
}

static bool has_unit_not_ready(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < machine->units.count; i++) {
		struct bm_unit_view view = bm_unit_view(machine->units.slots[i]->unit);
		/* Nothing that is replicated needs a client. */
		if (view.state == BM_UNIT_READY || machine->units.slots[i]->retired ||
				machine->units.slots[i]->role == BM_ROLE_CLIENT) {
			continue;
		}
		bool is_first = !machine->health.was_ready && view.failures == 0;
		result->state = is_first ? BM_MACHINE_STARTING : BM_MACHINE_DEGRADED;
		WHY(result, "'%s' is %s: %s", view.name, bm_unit_state_name(view.state),
				view.why);
		if (view.failures >= 3) {
			ADVISE(result, "it failed %u times in a row, last: %s; the log has what it said",
					view.failures, view.failure);
		}
		return true;
	}
	return false;
}

static bool has_no_sample(struct bm_machine *machine, struct evaluation *result)
{
	result->state = machine->health.was_ready ? BM_MACHINE_DEGRADED : BM_MACHINE_STARTING;
	WHY(result, "nothing is known of the databases yet");
	return !machine->view.sample_seen;
}

static bool has_sync_in_trouble(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < bm_bucardo_sync_count(machine->bucardo); i++) {
		struct bm_sync_view view = bm_bucardo_sync(machine->bucardo, i);
		if (view.health == BM_HEALTH_BLOCKED || view.health == BM_HEALTH_UNREACHABLE ||
				view.health == BM_HEALTH_FAILING ||
				view.health == BM_HEALTH_STALLED || view.is_overdue) {
			WHY(result, "sync '%s' is %s: %s", view.name,
					bm_health_name(view.health), view.why);
			ADVISE(result, "%s", view.advice);
			return true;
		}
	}
	return false;
}

/* A failure that goes away by itself is no trouble before it has lasted for some tries. */
#define PATIENT_TRIES 3

static bool has_migration_in_trouble(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < bm_migrate_count(machine->migrate); i++) {
		struct bm_migration_view view = bm_migrate_view(machine->migrate, i);
		/* Also while it tries again; one that shall not go on is in nobody's way. */
		bool stuck = view.attempt > 0 && view.failure != BM_FAILURE_TRANSIENT;
		bool tried = stuck || view.attempt >= PATIENT_TRIES;
		if (view.status == BM_MIGRATION_FAILED ||
				(tried && view.status != BM_MIGRATION_PAUSED)) {
			WHY(result, "migration '%s' is stuck in %s: %s", view.name,
					bm_phase_name(view.phase), view.why);
			ADVISE(result, "%s", view.hint);
			return true;
		}
	}
	return false;
}

static bool has_trouble_beside(
		struct bm_machine *machine, bool is_stopped, struct evaluation *result)
{
	for (size_t i = 0; i < bm_migrate_count(machine->migrate); i++) {
		struct bm_migration_view view = bm_migrate_view(machine->migrate, i);
		if (view.reconcile.trouble[0] != '\0' &&
				view.reconcile.is_stopped == is_stopped) {
			WHY(result, "migration '%s': %s", view.name, view.reconcile.trouble);
			ADVISE(result, "%s; it goes on by itself then", view.reconcile.hint);
			return true;
		}
	}
	return false;
}

/* Its syncs fail because of that, and what is said of them would not help. */
static bool has_stopped_migration(struct bm_machine *machine, struct evaluation *result)
{
	return has_trouble_beside(machine, true, result);
}

static bool has_paused_table(struct bm_machine *machine, struct evaluation *result)
{
	return has_trouble_beside(machine, false, result);
}

/* What the replication should have kept equal. */
static bool has_difference(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < bm_migrate_count(machine->migrate); i++) {
		struct bm_migration_view view = bm_migrate_view(machine->migrate, i);
		if (view.verify.trouble[0] != '\0') {
			WHY(result, "migration '%s': %s", view.name, view.verify.trouble);
			ADVISE(result, "%s", view.verify.hint);
			return true;
		}
	}
	return false;
}

/* Conditions that say nothing of the state mean DEGRADED. */
static bool (*const conditions[])(struct bm_machine *machine, struct evaluation *result) = {
		is_stopping,
		is_holding,
		is_missing_cluster,
		is_not_cleared,
		has_rejected_config,
		is_stopped_by_operator,
		is_older,
		is_not_installed,
		is_refused,
		is_at_last_step,
		has_wrong_password,
		is_waiting_for_database,
		is_restarted_again,
		has_unit_not_ready,
		has_no_sample,
		has_stopped_migration,
		has_sync_in_trouble,
		has_migration_in_trouble,
		has_paused_table,
		has_difference,
};

static void evaluate(struct bm_machine *machine, struct evaluation *result)
{
	for (size_t i = 0; i < BM_COUNT_OF(conditions); i++) {
		*result = (struct evaluation){.state = BM_MACHINE_DEGRADED};
		if (conditions[i](machine, result)) {
			return;
		}
	}
	*result = (struct evaluation){.state = BM_MACHINE_READY};
}

void bm_evaluate(struct bm_machine *machine)
{
	struct evaluation result;

	evaluate(machine, &result);
	bm_text_copy(machine->health.why, sizeof(machine->health.why), result.why);
	bm_text_copy(machine->health.advice, sizeof(machine->health.advice), result.advice);
	machine->health.was_ready = machine->health.was_ready ||
			result.state == BM_MACHINE_READY;
	if (result.state == machine->health.state) {
		return;
	}
	enum bm_log_level level = result.state == BM_MACHINE_DEGRADED ||
					result.state == BM_MACHINE_HOLDING
			? BM_LOG_WARN
			: BM_LOG_INFO;
	bm_events_add(machine->events, level, "machine", "%s -> %s%s%s",
			bm_machine_state_name(machine->health.state),
			bm_machine_state_name(result.state), result.why[0] != '\0' ? ": " : "",
			result.why);
	machine->health.state = result.state;
	machine->health.since_msec = bm_clock_msec();
}
