/*
 * probes - whether the control database answers, and whether it works on it
 *
 * A server that recovers, or a host that gives little, takes longer: that it works shows in its
 * processes (watchdog.h), and neither ends its start nor makes it count as lost. The clock
 * alone is the last resort.
 */
#include "daemon/machine/internal.h"

#include "bucardo_machine/clock.h"

/* Failed probes, with nothing that shows work, until it counts as not ready; and the time after
 * which they count in any case. */
#define PATIENCE 2
#define FAILING_LIMIT_MSEC (10 * 60 * 1000)

/* How often its processes are looked at while it starts. */
#define LOOK_MSEC 5000

static bool works(struct bm_machine *machine, uint64_t now)
{
	pid_t pid = bm_parts_pid(machine->units.postgres);

	return pid > 0 && bm_work_check(&machine->postgres_work, pid, now);
}

static void record_failure(struct bm_machine *machine)
{
	uint64_t now = bm_clock_msec();

	if (machine->probe.failed_msec == 0) {
		machine->probe.failed_msec = now;
	}
	if (!works(machine, now) || now - machine->probe.failed_msec >= FAILING_LIMIT_MSEC) {
		machine->probe.failures++;
	}
}

static void on_done(void *ctx, const struct bm_result *result)
{
	struct bm_machine *machine = ctx;

	machine->probe.pending = false;
	if (result->error == NULL) {
		machine->probe.failures = 0;
		machine->probe.failed_msec = 0;
		bm_program_ready(machine->units.postgres->program, true);
	} else {
		record_failure(machine);
	}
	bm_machine_tick_soon(machine);
}

void bm_probe_now(struct bm_machine *machine, struct bm_conn *conn)
{
	machine->probe.pending = true;
	bm_conn_query(conn, "SELECT 1", NULL, 0, on_done, machine);
}

static void watch_start(struct bm_machine *machine)
{
	uint64_t now = bm_clock_msec();

	if (now - machine->postgres_work.looked_msec >= LOOK_MSEC && works(machine, now)) {
		bm_unit_progress(machine->units.postgres->unit);
	}
}

void bm_probe_control(struct bm_machine *machine)
{
	enum bm_unit_state state = machine->units.postgres == NULL
			? BM_UNIT_DOWN
			: bm_unit_state(machine->units.postgres->unit);

	if (state != BM_UNIT_READY && state != BM_UNIT_STARTING) {
		return;
	}
	if (state == BM_UNIT_STARTING) {
		watch_start(machine);
	}
	if (state == BM_UNIT_READY && machine->probe.failures >= PATIENCE) {
		machine->probe.failures = 0;
		machine->probe.failed_msec = 0;
		bm_program_ready(machine->units.postgres->program, false);
	} else if (!machine->probe.pending && bm_conn_is_up(machine->control)) {
		bm_probe_now(machine, machine->control);
	}
}
