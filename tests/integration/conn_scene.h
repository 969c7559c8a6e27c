/*
 * What the checks of the connection share: a real server, a loop with a metronome,
 * a connection, and what was seen of it.
 *
 * The metronome ticks all the time: the longest pause between two ticks shows
 * whether anything blocked the loop.
 */
#ifndef TESTS_INTEGRATION_CONN_SCENE_H
#define TESTS_INTEGRATION_CONN_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/postgres.h"
#include "bucardo_machine/spawn.h"

#define LIMIT_MSEC 10000
#define TICK_MSEC 5
#define QUERY_LIMIT_MSEC 400
#define CONNECT_LIMIT_MSEC 300

/* The loop may be late by this much on a busy computer; a blocking call is later. */
#define LATE_MSEC 250

static struct bm_cluster_paths paths;

/* One answer to one statement. */
struct answer {
	unsigned calls;
	enum bm_error_code code;
	char sqlstate[6], message[768], value[64];
	size_t rows, columns;
	bool null;
};

struct scene {
	struct bm_loop *loop;
	struct bm_timer *metronome;
	uint64_t last_tick, longest_pause, deadline;
	const unsigned *counter; /* the loop stops when it reaches `wanted` */
	unsigned wanted;
	bool too_late;

	pid_t server;
	unsigned server_exits;

	struct bm_conn *conn;
	unsigned ups, downs, notices;
	char reason[512], notice[128];
	int destroy_at; /* the enum bm_conn_event in which to destroy; -1 never */
};

/* ---- the loop ---- */

static inline void on_tick(void *ctx)
{
	struct scene *scene = ctx;
	uint64_t now = bm_clock_msec();

	if (scene->last_tick != 0 && now - scene->last_tick > scene->longest_pause) {
		scene->longest_pause = now - scene->last_tick;
	}
	scene->last_tick = now;
	scene->too_late = now >= scene->deadline;
	if (scene->too_late || (scene->counter != NULL && *scene->counter >= scene->wanted)) {
		bm_loop_stop(scene->loop);
	}
	bm_timer_arm(scene->metronome, TICK_MSEC);
}

static inline void run_for(struct scene *scene, uint64_t msec)
{
	scene->counter = NULL;
	scene->deadline = bm_clock_msec() + msec;
	scene->last_tick = 0;
	bm_loop_run(scene->loop);
}

static inline void run_until(struct scene *scene, const unsigned *counter, unsigned wanted)
{
	scene->counter = counter;
	scene->wanted = wanted;
	scene->deadline = bm_clock_msec() + LIMIT_MSEC;
	scene->last_tick = 0;
	scene->too_late = false;
	if (*counter < wanted) {
		bm_loop_run(scene->loop);
	}
	if (*counter < wanted) {
		print_error("waited in vain; last reason: %s\n", scene->reason);
	}
	assert_true(*counter >= wanted);
}

/* ---- the server ---- */

static inline void on_server_exit(void *ctx, pid_t pid, int status)
{
	struct scene *scene = ctx;

	(void)pid;
	(void)status;
	scene->server = 0;
	scene->server_exits++;
}

static inline void start_server(struct scene *scene)
{
	const char *const settings[] = {"fsync=off", "log_min_messages=panic", NULL};
	char **argv = bm_cluster_argv(&paths, settings);
	struct bm_spawn spawn = BM_SPAWN_INIT;
	struct bm_error err = BM_ERROR_INIT;

	spawn.argv = (const char *const *)argv;
	spawn.stderr_fd = STDERR_FILENO;
	spawn.death_signal = SIGQUIT;
	scene->server = bm_spawn(scene->loop, &spawn, on_server_exit, scene, &err);
	bm_cluster_argv_free(argv);
	assert_true(scene->server > 0);
}

static inline void stop_server(struct scene *scene, int signo)
{
	if (scene->server > 0) {
		unsigned before = scene->server_exits;
		kill(scene->server, signo);
		run_until(scene, &scene->server_exits, before + 1);
	}
}

/* ---- the connection ---- */

static inline void on_conn(void *ctx, enum bm_conn_event event, const char *text)
{
	struct scene *scene = ctx;

	if (event == BM_CONN_UP) {
		scene->ups++;
	} else if (event == BM_CONN_DOWN) {
		scene->downs++;
		snprintf(scene->reason, sizeof(scene->reason), "%s", text);
	} else {
		scene->notices++;
		snprintf(scene->notice, sizeof(scene->notice), "%s", text);
	}
	if ((int)event == scene->destroy_at) {
		bm_conn_destroy(scene->conn);
		scene->conn = NULL;
	}
}

static const char *const channels[] = {"bucardo_machine", "Odd \"name\"", NULL};

static inline struct bm_conn *make_conn(struct scene *scene, const char *socket_dir)
{
	const struct bm_conn_options options = {
			.socket_dir = socket_dir,
			.dbname = "postgres",
			.user = "postgres",
			.application_name = "conn check",
			.listen = channels,
			.connect_timeout_msec = CONNECT_LIMIT_MSEC,
			.retry_msec = 20,
			.query_timeout_msec = QUERY_LIMIT_MSEC,
	};
	return bm_conn_create(scene->loop, &options, on_conn, scene);
}

static inline void open_conn(struct scene *scene)
{
	unsigned before = scene->ups;

	scene->conn = make_conn(scene, paths.socket_dir);
	bm_conn_open(scene->conn);
	run_until(scene, &scene->ups, before + 1);
}

static inline void on_answer(void *ctx, const struct bm_result *result)
{
	struct answer *answer = ctx;
	const char *value = bm_result_get(result, 0, 0);

	answer->calls++;
	answer->rows = result->row_count;
	answer->columns = result->column_count;
	answer->null = value == NULL;
	snprintf(answer->value, sizeof(answer->value), "%s", value != NULL ? value : "");
	answer->code = result->error != NULL ? result->error->code : BM_ERR_NONE;
	if (result->error != NULL) {
		snprintf(answer->sqlstate, 6, "%s", result->error->sqlstate);
		snprintf(answer->message, sizeof(answer->message), "%s",
				result->error->message);
	}
}

static inline struct answer ask(struct scene *scene, const char *sql)
{
	struct answer answer = {0};

	bm_conn_query(scene->conn, sql, NULL, 0, on_answer, &answer);
	assert_int_equal(answer.calls, 0);
	run_until(scene, &answer.calls, 1);
	assert_int_equal(answer.calls, 1);
	return answer;
}

static inline pid_t backend_pid(struct scene *scene)
{
	return (pid_t)strtol(ask(scene, "SELECT pg_backend_pid()").value, NULL, 10);
}

/* ---- set up and tear down ---- */

static inline int set_up_loop(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct bm_error err = BM_ERROR_INIT;

	scene->destroy_at = -1;
	scene->loop = bm_loop_create(&err);
	if (scene->loop == NULL) {
		return -1;
	}
	scene->metronome = bm_timer_create(scene->loop, on_tick, scene);
	bm_timer_arm(scene->metronome, TICK_MSEC);
	*state = scene;
	return 0;
}

/* The server runs for the whole group; each test has its own connection. */
static inline int set_up_group(void **state)
{
	if (set_up_loop(state) != 0) {
		return -1;
	}
	start_server(*state);
	open_conn(*state);
	bm_conn_destroy(((struct scene *)*state)->conn);
	return 0;
}

static inline int tear_down_group(void **state)
{
	struct scene *scene = *state;

	scene->destroy_at = -1;
	stop_server(scene, SIGINT);
	bm_timer_close(scene->metronome);
	bm_loop_destroy(scene->loop);
	free(scene);
	return 0;
}

static inline int set_up(void **state)
{
	struct scene *scene = *state;

	scene->ups = scene->downs = scene->notices = 0;
	scene->destroy_at = -1;
	scene->reason[0] = scene->notice[0] = '\0';
	open_conn(scene);
	scene->longest_pause = 0;
	return 0;
}

static inline int tear_down(void **state)
{
	struct scene *scene = *state;

	bm_conn_destroy(scene->conn);
	scene->conn = NULL;
	return 0;
}

/* BIN_DIR DATA_DIR SOCKET_DIR of a cluster that is not running. */
static inline int run_checks(
		int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
	if (argc != 4 || bm_event_begin(NULL) != 0) {
		return 2;
	}
	paths = (struct bm_cluster_paths){
			.bin_dir = argv[1], .data_dir = argv[2], .socket_dir = argv[3]};
	return _cmocka_run_group_tests("conn", tests, count, set_up_group, tear_down_group);
}

#define CHECK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
