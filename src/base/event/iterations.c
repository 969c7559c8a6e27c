/*
 * How long the loop is busy in one iteration: from one wait for events to the next, without
 * the wait itself, which libuv measures. Kept in spans of ten seconds, so that what was
 * slow once (the start) is not told for ever.
 */
#include "base/event/loop.h"

#define SPAN_NSEC (UINT64_C(10) * 1000 * 1000 * 1000)

static void before_wait(uv_prepare_t *prepare)
{
	struct bm_iterations *iterations = prepare->data;
	uint64_t now = uv_hrtime();
	uint64_t idle = uv_metrics_idle_time(prepare->loop);
	uint64_t passed = now - iterations->last_nsec, waited = idle - iterations->idle_nsec;
	uint64_t busy = passed > waited ? passed - waited : 0;

	if (now - iterations->span_nsec >= SPAN_NSEC) {
		iterations->before_nsec = iterations->longest_nsec;
		iterations->longest_nsec = 0;
		iterations->span_nsec = now;
	}
	iterations->longest_nsec = busy > iterations->longest_nsec ? busy
								   : iterations->longest_nsec;
	iterations->last_nsec = now;
	iterations->idle_nsec = idle;
}

int bm_iterations_init(struct bm_loop *loop, struct bm_error *err)
{
	struct bm_iterations *iterations = &loop->iterations;
	int result = uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);

	if (result != 0) {
		return bm_uv_error(err, result, "measure the iterations of an event loop");
	}
	iterations->last_nsec = iterations->span_nsec = uv_hrtime();
	uv_prepare_init(&loop->uv, &iterations->before_wait);
	iterations->before_wait.data = iterations;
	uv_prepare_start(&iterations->before_wait, before_wait);
	return 0;
}

uint64_t bm_loop_longest_iteration_usec(const struct bm_loop *loop)
{
	const struct bm_iterations *iterations = &loop->iterations;

	return (iterations->longest_nsec > iterations->before_nsec ? iterations->longest_nsec
								   : iterations->before_nsec) /
			1000;
}
