/*
 * control_host - the control socket before a small fake machine
 *
 *     control_host SOCKET [SYNCS]
 *
 * Prints "open" when it listens. SIGUSR1 makes an event, SIGUSR2 turns readiness
 * around, SIGHUP makes 500 events at once, SIGTERM ends it in order. SYNCS syncs
 * stand in the status, to make it as large as wanted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "daemon/control/host.h"

#define EVENTS 500

struct fake {
	struct bm_loop *loop;
	bool ready;
	uint64_t events; /* the id of the newest */
	void (*cb)(void *ctx);
	void *cb_ctx;
	char last_request[256];
	size_t sync_count;
	struct bm_sync_view *syncs;
};

static struct fake *of(struct bm_machine *machine)
{
	return (struct fake *)machine;
}

static void fake_status(struct bm_machine *machine, struct bm_status *out)
{
	struct fake *fake = of(machine);

	*out = (struct bm_status){
			.version = BM_VERSION,
			.pid = getpid(),
			.now_msec = bm_clock_msec(),
			.state = fake->ready ? BM_MACHINE_READY : BM_MACHINE_DEGRADED,
			.ready = fake->ready,
			.why = fake->last_request,
			.sync_count = fake->sync_count,
			.syncs = fake->syncs,
	};
}

static bool fake_is_ready(struct bm_machine *machine, const char **why)
{
	*why = of(machine)->ready ? "" : "the fake was told so";
	return of(machine)->ready;
}

static void make_events(struct fake *fake, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fake->events++;
		if (fake->cb != NULL) {
			fake->cb(fake->cb_ctx);
		}
	}
}

static int fake_service(struct bm_machine *machine, enum bm_service_verb verb, const char *unit,
		const char *by, struct bm_error *err)
{
	static const char *const verbs[] = {"start", "stop", "restart"};
	struct fake *fake = of(machine);

	if (strcmp(unit, "postgres") != 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "there is no unit '%s'", unit);
	}
	snprintf(fake->last_request, sizeof(fake->last_request), "%s %s by %s", verbs[verb],
			unit, by);
	make_events(fake, 1); /* as the machine does: in the middle of a request */
	return 0;
}

static int fake_reload(struct bm_machine *machine, struct bm_strbuf *errors)
{
	if (of(machine)->ready) {
		return 0;
	}
	bm_strbuf_puts(errors, "machine.yaml:1:1: version: missing\n");
	return -1;
}

static void fake_show(struct bm_machine *machine, struct bm_strbuf *out)
{
	(void)machine;
	bm_strbuf_puts(out, "version: 1\n");
}

static bool fake_event_after(
		struct bm_machine *machine, uint64_t after, struct bm_machine_event *out)
{
	static char text[200];
	uint64_t newest = of(machine)->events;
	uint64_t oldest = newest > EVENTS ? newest - EVENTS + 1 : 1;
	uint64_t id = after + 1 > oldest ? after + 1 : oldest;

	if (id > newest) {
		return false;
	}
	snprintf(text, sizeof(text), "event number %d %0100d", (int)id, 0);
	*out = (struct bm_machine_event){
			id, bm_clock_wall_msec(), BM_LOG_INFO, "machine", text};
	return true;
}

static void fake_on_event(struct bm_machine *machine, void (*cb)(void *ctx), void *ctx)
{
	of(machine)->cb = cb;
	of(machine)->cb_ctx = ctx;
}

static int fake_migrate(struct bm_machine *machine, enum bm_migrate_verb verb, const char *name,
		enum bm_phase until, const char *by, struct bm_error *err)
{
	static const char *const verbs[] = {"migrate", "pause", "resume"};
	struct fake *fake = of(machine);

	if (strcmp(name, "app") != 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "there is no migration '%s'", name);
	}
	snprintf(fake->last_request, sizeof(fake->last_request), "%s %s until %s by %s",
			verbs[verb], name, bm_phase_name(until), by);
	make_events(fake, 1);
	return 0;
}

static char *fake_plan(
		struct bm_machine *machine, const char *name, bool fix, struct bm_error *err)
{
	(void)machine;
	(void)err;
	return bm_format("{\"name\":\"%s\",\"fix\":%s}", name, fix ? "true" : "false");
}

static int fake_teardown(struct bm_machine *machine, const char *name, const char *without,
		const char *by, struct bm_error *err)
{
	struct fake *fake = of(machine);

	if (strcmp(name, "app") != 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "there is no migration '%s'", name);
	}
	snprintf(fake->last_request, sizeof(fake->last_request),
			"teardown %s without '%s' by %s", name, without, by);
	make_events(fake, 1);
	return 0;
}

static char *fake_teardown_preview(
		struct bm_machine *machine, const char *name, struct bm_error *err)
{
	(void)machine;
	(void)err;
	return bm_format("{\"name\":\"%s\"}", name);
}

static char *fake_doctor(struct bm_machine *machine, const char *name, struct bm_error *err)
{
	return fake_teardown_preview(machine, name, err);
}

static void fake_notified(struct bm_machine *machine, const struct bm_receiver_report *reports,
		size_t count)
{
	struct fake *fake = of(machine);

	snprintf(fake->last_request, sizeof(fake->last_request), "notified %zu %s", count,
			count > 0 ? reports[0].name : "");
}

static const struct bm_control_host host = {
		.status = fake_status,
		.is_ready = fake_is_ready,
		.service = fake_service,
		.migrate = fake_migrate,
		.plan = fake_plan,
		.teardown = fake_teardown,
		.teardown_preview = fake_teardown_preview,
		.doctor = fake_doctor,
		.notified = fake_notified,
		.reload = fake_reload,
		.show_config = fake_show,
		.event_after = fake_event_after,
		.on_event = fake_on_event,
};

static void on_signal(void *ctx, int signo)
{
	struct fake *fake = ctx;

	if (signo == SIGUSR1) {
		make_events(fake, 1);
	} else if (signo == SIGHUP) {
		make_events(fake, EVENTS);
	} else if (signo == SIGUSR2) {
		fake->ready = !fake->ready;
	} else {
		bm_loop_stop(fake->loop);
	}
}

static void fill_syncs(struct fake *fake, size_t count)
{
	fake->sync_count = count;
	fake->syncs = bm_alloc((count + 1) * sizeof(*fake->syncs));
	for (size_t i = 0; i < count; i++) {
		fake->syncs[i] = (struct bm_sync_view){.name = "a sync with a long enough name",
				.health = BM_HEALTH_IDLE,
				.why = "",
				.advice = ""};
	}
}

int main(int argc, char **argv)
{
	struct bm_error err = BM_ERROR_INIT;
	struct fake fake = {.ready = true, .events = 3};
	struct bm_control *control;

	if (argc < 2 || bm_event_begin(&err) != 0 ||
			(fake.loop = bm_loop_create(&err)) == NULL) {
		fprintf(stderr, "control_host: %s\n", err.message);
		return 2;
	}
	fill_syncs(&fake, argc > 2 ? (size_t)atol(argv[2]) : 0);
	control = bm_control_open_host(
			fake.loop, argv[1], &host, (struct bm_machine *)&fake, &err);
	if (control == NULL) {
		fprintf(stderr, "control_host: %s\n", err.message);
		return 1;
	}
	bm_loop_on_signal(fake.loop, on_signal, &fake);
	puts("open");
	fflush(stdout);
	bm_loop_run(fake.loop);
	bm_control_close(control);
	bm_loop_destroy(fake.loop);
	free(fake.syncs);
	return 0;
}
