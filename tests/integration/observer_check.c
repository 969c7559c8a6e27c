/*
 * observer_check - the parent side of the sampler, alone on a loop
 *
 *   observer_check PROGRAM SOCKET_DIR PGPASS INTERVAL_MSEC TIMEOUT_MSEC
 *
 * Prints what the callbacks get, a line each: "sample {…}", "down WHY". SIGUSR1 pokes,
 * SIGUSR2 stops or starts the observer, SIGTERM ends the program in an orderly way.
 * Called as `observer_check worker observe` it is the worker: pass /proc/self/exe as PROGRAM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/observer.h"
#include "bucardo_machine/worker.h"
#include "bucardo_machine/observation.h"

struct check {
	struct bm_loop *loop;
	struct bm_observer *observer;
	bool is_stopped;
};

static void on_sample(void *ctx, const struct bm_observation *observation)
{
	const struct check *check = ctx;
	char *line = bm_observation_encode(observation, BM_OBSERVATION_FULL);

	printf("sample %d %s\n", (int)bm_observer_view(check->observer).pid, line);
	fflush(stdout);
	free(line);
}

static void on_down(void *ctx, const char *why)
{
	(void)ctx;
	printf("down 0 %s\n", why);
	fflush(stdout);
}

static void on_signal(void *ctx, int signo)
{
	struct check *check = ctx;

	if (signo == SIGUSR1) {
		bm_observer_wake(check->observer);
	} else if (signo == SIGUSR2 && check->is_stopped) {
		bm_observer_start(check->observer);
		check->is_stopped = false;
	} else if (signo == SIGUSR2) {
		bm_observer_stop(check->observer);
		printf("stopped %d\n", (int)bm_observer_view(check->observer).pid);
		fflush(stdout);
		check->is_stopped = true;
	} else {
		bm_loop_stop(check->loop);
	}
}

int main(int argc, char **argv)
{
	struct bm_error err = BM_ERROR_INIT;
	struct check check = {0};

	if (argc > 2 && strcmp(argv[1], "worker") == 0) {
		return bm_worker_main(argc - 1, argv + 1);
	}
	if (argc != 6 || bm_event_begin(&err) != 0 ||
			(check.loop = bm_loop_create(&err)) == NULL) {
		fprintf(stderr, "observer_check: %s\n", err.message);
		return 2;
	}
	const struct bm_observer_options options = {.program = argv[1],
			.socket_dir = argv[2],
			.pgpass = argv[3],
			.interval_msec = strtoull(argv[4], NULL, 10),
			.timeout_msec = strtoull(argv[5], NULL, 10)};
	check.observer = bm_observer_create(check.loop, &options, on_sample, on_down, &check);
	bm_loop_on_signal(check.loop, on_signal, &check);
	bm_observer_start(check.observer);
	bm_loop_run(check.loop);
	bm_observer_destroy(check.observer);
	bm_loop_destroy(check.loop);
	return 0;
}
