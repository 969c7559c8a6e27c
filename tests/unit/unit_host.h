/* A unit with a host that only remembers what it was asked to do; for its tests. */
#ifndef TESTS_UNIT_HOST_H
#define TESTS_UNIT_HOST_H

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "bucardo_machine/log.h"
#include "bucardo_machine/macros.h"
#include "daemon/supervise/unit_table.h"

struct fake_host {
	int spawns, stops, changes;
	bool cannot_spawn;
	enum bm_stop_mode last_stop;
	uint64_t timer_msec, now_msec;
};

static int fake_spawn(void *ctx, struct bm_error *err)
{
	struct fake_host *host = ctx;

	host->spawns++;
	return host->cannot_spawn ? bm_error_set(err, BM_ERR_CONFIG, "no such thing") : 0;
}

static void fake_stop(void *ctx, enum bm_stop_mode mode)
{
	struct fake_host *host = ctx;

	host->stops++;
	host->last_stop = mode;
}

static void fake_arm(void *ctx, uint64_t msec)
{
	((struct fake_host *)ctx)->timer_msec = msec;
}

static uint64_t fake_now(void *ctx)
{
	return ((struct fake_host *)ctx)->now_msec;
}

static void fake_changed(void *ctx, struct bm_unit *unit)
{
	(void)unit;
	((struct fake_host *)ctx)->changes++;
}

static const struct bm_unit_host fake = {fake_spawn, fake_stop, fake_arm, fake_now};

static const struct bm_unit_policy policy = {
		.start_timeout_msec = 9000,
		.start_limit_msec = 90000,
		.stop_gently_msec = 5000,
		.stop_firmly_msec = 2000,
		.backoff_first_msec = 500,
		.backoff_limit_msec = 30000,
		.stable_after_msec = 60000,
};

static struct bm_unit *create(struct fake_host *host)
{
	return bm_unit_create("postgres", &policy, &fake, fake_changed, host);
}

static struct bm_unit *after(
		struct fake_host *host, const enum bm_unit_event *events, size_t count)
{
	struct bm_unit *unit = create(host);

	for (size_t i = 0; i < count; i++) {
		bm_unit_handle(unit, events[i]);
	}
	return unit;
}

#define AFTER(host, ...)                                                                       \
	after(host, (const enum bm_unit_event[]){__VA_ARGS__},                                 \
			BM_COUNT_OF(((const enum bm_unit_event[]){__VA_ARGS__})))

#endif
