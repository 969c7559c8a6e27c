/*
 * How long the loop is busy in one turn: from one wait for events to the next, without
 * the wait itself, which libuv measures. Kept in spans of ten seconds, so that what was
 * slow once (the start) is not told for ever.
 */
#include "base/event/loop.h"

#define SPAN_NSEC (UINT64_C(10) * 1000 * 1000 * 1000)

static void before_wait(uv_prepare_t *prepare)
{
	struct bm_turns *turns = prepare->data;
	uint64_t now = uv_hrtime();
	uint64_t idle = uv_metrics_idle_time(prepare->loop);
	uint64_t passed = now - turns->mark_nsec, waited = idle - turns->idle_nsec;
	uint64_t busy = passed > waited ? passed - waited : 0;

	if (now - turns->span_nsec >= SPAN_NSEC) {
		turns->before_nsec = turns->longest_nsec;
		turns->longest_nsec = 0;
		turns->span_nsec = now;
	}
	turns->longest_nsec = busy > turns->longest_nsec ? busy : turns->longest_nsec;
	turns->mark_nsec = now;
	turns->idle_nsec = idle;
}

int bm_turns_init(struct bm_loop *loop, struct bm_error *err)
{
	struct bm_turns *turns = &loop->turns;
	int result = uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);

	if (result != 0) {
		return bm_uv_error(err, result, "measure the turns of an event loop");
	}
	turns->mark_nsec = turns->span_nsec = uv_hrtime();
	uv_prepare_init(&loop->uv, &turns->before_wait);
	turns->before_wait.data = turns;
	uv_prepare_start(&turns->before_wait, before_wait);
	return 0;
}

uint64_t bm_loop_longest_turn_usec(const struct bm_loop *loop)
{
	const struct bm_turns *turns = &loop->turns;

	return (turns->longest_nsec > turns->before_nsec ? turns->longest_nsec
							 : turns->before_nsec) /
			1000;
}
