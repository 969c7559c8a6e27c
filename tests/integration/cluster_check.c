/*
 * The care of the control cluster as commands, for test_postgres.py to drive.
 *
 *   cluster_check find                            its bin folder and major
 *   cluster_check inspect DATA MAJOR              what is there, and why
 *   cluster_check create BIN DATA SOCKET_DIR      until it is made
 *   cluster_check clear BIN DATA SOCKET_DIR       until nothing stale is left
 *   cluster_check serve BIN DATA SOCKET_DIR [NAME=VALUE...]   becomes the server
 *
 * Exit code 0, or 1 with the error's code and message on stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bucardo_machine/postgres.h"

#define CLEAR_TRIES 2000

struct creation {
	struct bm_loop *loop;
	int exit_code;
};

static int report(const struct bm_error *err)
{
	printf("%s: %s\n", bm_error_code_name(err->code), err->message);
	return 1;
}

static int find(void)
{
	struct bm_error err = BM_ERROR_INIT;
	char bin_dir[512];
	unsigned major;

	if (bm_cluster_find(bin_dir, sizeof(bin_dir), &major, &err) != 0) {
		return report(&err);
	}
	printf("%s %u\n", bin_dir, major);
	return 0;
}

static int inspect(const char *data_dir, const char *major)
{
	static const char *const names[] = {
			[BM_CLUSTER_ABSENT] = "absent",
			[BM_CLUSTER_INTERRUPTED] = "interrupted",
			[BM_CLUSTER_USABLE] = "usable",
			[BM_CLUSTER_DAMAGED] = "damaged",
			[BM_CLUSTER_FOREIGN] = "foreign",
	};
	struct bm_strbuf why = BM_STRBUF_INIT;
	unsigned number = (unsigned)strtoul(major, NULL, 10);
	enum bm_cluster_found found = bm_cluster_inspect(data_dir, number, &why);

	printf("%s %s\n", names[found], bm_strbuf_text(&why));
	bm_strbuf_finish(&why);
	return bm_cluster_inspect(data_dir, number, NULL) == found ? 0 : 1;
}

static void on_created(void *ctx, const struct bm_error *err)
{
	struct creation *creation = ctx;

	creation->exit_code = err != NULL ? report(err) : 0;
	bm_loop_stop(creation->loop);
}

static int create(const struct bm_cluster_paths *paths)
{
	struct bm_error err = BM_ERROR_INIT;
	struct creation creation = {.exit_code = -1};

	if (bm_event_begin(&err) != 0) {
		return report(&err);
	}
	creation.loop = bm_loop_create(&err);
	if (creation.loop == NULL) {
		return report(&err);
	}
	bm_cluster_create(creation.loop, paths, on_created, &creation);
	bm_loop_run(creation.loop);
	bm_loop_destroy(creation.loop);
	return creation.exit_code;
}

static int clear(const struct bm_cluster_paths *paths)
{
	struct bm_error err = BM_ERROR_INIT;
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	int rc = 1;

	for (int i = 0; rc == 1 && i < CLEAR_TRIES; i++) {
		rc = bm_cluster_clear_stale(paths, &err);
		if (rc == 1) {
			nanosleep(&pause, NULL);
		}
	}
	if (rc < 0) {
		return report(&err);
	}
	puts(rc == 0 ? "clear" : "still there");
	return rc;
}

static int serve(const struct bm_cluster_paths *paths, char **settings)
{
	char **argv = bm_cluster_argv(paths, (const char *const *)settings);

	execv(argv[0], argv);
	perror(argv[0]);
	return 1;
}

static int act_on_cluster(const char *command, char **words)
{
	const struct bm_cluster_paths paths = {
			.bin_dir = words[0], .data_dir = words[1], .socket_dir = words[2]};

	if (strcmp(command, "create") == 0) {
		return create(&paths);
	}
	if (strcmp(command, "clear") == 0) {
		return clear(&paths);
	}
	return strcmp(command, "serve") == 0 ? serve(&paths, words + 3) : 2;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "find") == 0) {
		return find();
	}
	if (argc == 4 && strcmp(argv[1], "inspect") == 0) {
		return inspect(argv[2], argv[3]);
	}
	return argc >= 5 ? act_on_cluster(argv[1], argv + 2) : 2;
}
