/* watchdog - see watchdog.h */
#include "bucardo_machine/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/spawn.h"

/* Looks in the time of a silence. */
#define LOOKS 4

/* How late we may be ourselves at least. */
#define AWAY_MSEC 1000

/* Who only looks every few milliseconds whether something has come uses less of a processor. */
#define WORK_PERCENT 2

/* ---- what is seen ---- */

struct sight {
	pid_t pid;
	bool is_busy; /* one of them is in R or D */
	uint64_t cpu_ticks;
};

static bool take(void *ctx, const struct bm_process *process)
{
	struct sight *sight = ctx;

	if (process->pid == sight->pid || process->parent == sight->pid ||
			process->session == sight->pid) {
		sight->is_busy |= process->state == 'R' || process->state == 'D';
		sight->cpu_ticks += process->cpu_ticks;
	}
	return true;
}

/* One of them may have ended, and taken its time with it: that is work as well. */
static bool has_grown(const struct bm_work *before, uint64_t cpu_ticks, uint64_t now_msec)
{
	uint64_t grown = cpu_ticks > before->cpu_ticks ? cpu_ticks - before->cpu_ticks
						       : before->cpu_ticks - cpu_ticks;
	uint64_t msec = grown * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);

	return before->looked_msec != 0 && grown > 0 &&
			msec * 100 >= (now_msec - before->looked_msec) * WORK_PERCENT;
}

bool bm_work_check(struct bm_work *work, pid_t pid, uint64_t now_msec)
{
	struct sight sight = {.pid = pid};

	bm_process_each(take, &sight);
	bool works = sight.is_busy || has_grown(work, sight.cpu_ticks, now_msec);
	*work = (struct bm_work){now_msec, sight.cpu_ticks};
	return works;
}

/* ---- the watchdog ---- */

struct bm_watchdog {
	struct bm_timer *timer;
	uint64_t silence_msec, limit_msec;
	void (*cb)(void *ctx, const char *why);
	void *ctx;
	pid_t pid;
	uint64_t received_msec, sign_msec, tick_msec;
	struct bm_work work;
};

static uint64_t period(const struct bm_watchdog *dog)
{
	return dog->silence_msec / LOOKS > 0 ? dog->silence_msec / LOOKS : 1;
}

/* We were late ourselves: what it has said may lie there unread. */
static bool was_away(const struct bm_watchdog *dog, uint64_t now)
{
	uint64_t late = period(dog) > AWAY_MSEC ? period(dog) : AWAY_MSEC;

	return now - dog->tick_msec >= period(dog) + late;
}

static void look(struct bm_watchdog *dog, uint64_t now)
{
	if (now - dog->received_msec < period(dog)) {
		/* What it did before it spoke does not count. */
		dog->work = (struct bm_work){0};
	} else if (bm_work_check(&dog->work, dog->pid, now) || was_away(dog, now)) {
		dog->sign_msec = now;
	}
	dog->tick_msec = bm_clock_msec(); /* a look at a busy host takes a while itself */
}

static void on_tick(void *ctx)
{
	struct bm_watchdog *dog = ctx;
	uint64_t now = bm_clock_msec();
	char span[BM_CLOCK_TEXT_SIZE], why[160];

	look(dog, now);
	bool is_silent = now - dog->sign_msec >= dog->silence_msec;
	if (!is_silent && now - dog->received_msec < dog->limit_msec) {
		bm_timer_arm(dog->timer, period(dog));
		return;
	}
	if (is_silent) {
		snprintf(why, sizeof(why),
				"says nothing, and nothing shows that it works, for %s",
				bm_clock_format_span(dog->silence_msec, span));
	} else {
		snprintf(why, sizeof(why), "works, but says nothing for %s",
				bm_clock_format_span(dog->limit_msec, span));
	}
	dog->cb(dog->ctx, why); /* last: it may close the watchdog */
}

struct bm_watchdog *bm_watchdog_create(struct bm_loop *loop, uint64_t silence_msec,
		uint64_t limit_msec, void (*cb)(void *ctx, const char *why), void *ctx)
{
	struct bm_watchdog *dog = bm_alloc(sizeof(*dog));

	*dog = (struct bm_watchdog){.silence_msec = silence_msec,
			.limit_msec = limit_msec,
			.cb = cb,
			.ctx = ctx};
	dog->timer = bm_timer_create(loop, on_tick, dog);
	return dog;
}

void bm_watchdog_watch(struct bm_watchdog *dog, pid_t pid)
{
	dog->pid = pid;
	bm_watchdog_received(dog);
	dog->tick_msec = dog->received_msec;
	dog->work = (struct bm_work){0};
	bm_timer_arm(dog->timer, period(dog));
}

void bm_watchdog_received(struct bm_watchdog *dog)
{
	dog->received_msec = dog->sign_msec = bm_clock_msec();
}

void bm_watchdog_rest(struct bm_watchdog *dog)
{
	bm_timer_disarm(dog->timer);
}

void bm_watchdog_close(struct bm_watchdog *dog)
{
	if (dog != NULL) {
		bm_timer_close(dog->timer);
		free(dog);
	}
}
