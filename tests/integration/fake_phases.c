/*
 * fake_phases - the real program with phase workers that do as they are told
 *
 * Everything but `worker phase` and `worker reconcile` is bucardo-machine itself. A phase
 * worker writes its request to $FAKE_PHASES/requests and then plays the file
 * $FAKE_PHASES/NAME.PHASE; `worker reconcile` writes to "reconciles" and plays NAME.reconcile,
 * phase `doctor`, which is of no migration's order, writes to "looks":
 *     {...}       print this line
 *     wait FILE   until FILE is there, in the same folder
 *     exit N      end
 *     crash       end by a signal, without a result
 * Without such a file a phase prints some progress and is done, and `worker reconcile`
 * waits for the end of its stdin.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/cli.h"

static void append_request(const char *folder, const char *name, const char *line)
{
	char *path = bm_format("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	/* One write a line: several workers share the file. */
	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
		fprintf(stderr, "fake_phases: cannot write '%s': %m\n", path);
	}
	close(fd);
	free(path);
}

static void wait_for_file(const char *folder, const char *name)
{
	char *path = bm_format("%s/%s", folder, name);

	while (access(path, F_OK) != 0) {
		struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
		if (poll(&end, 1, 20) > 0) {
			exit(0); /* stdin was closed: the cancel */
		}
	}
	free(path);
}

static void play_line(const char *folder, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "wait ", 5) == 0) {
		wait_for_file(folder, line + 5);
	} else if (strncmp(line, "exit ", 5) == 0) {
		exit(atoi(line + 5));
	} else if (strcmp(line, "crash") == 0) {
		raise(SIGABRT);
	} else {
		puts(line);
		fflush(stdout);
	}
}

static int play(const char *folder, const char *name, const char *phase)
{
	char *path = bm_format("%s/%s.%s", folder, name, phase);
	FILE *file = fopen(path, "re");
	char line[4096];

	free(path);
	if (file == NULL && strcmp(phase, "reconcile") == 0) {
		wait_for_file(folder, "never");
	} else if (file == NULL) {
		puts("{\"v\":1,\"event\":\"progress\",\"done\":1,\"total\":2,\"unit\":\"tables\","
		     "\"text\":\"half\"}\n"
		     "{\"v\":1,\"event\":\"done\",\"evidence\":{\"tables\":2}}");
	}
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		play_line(folder, line);
	}
	if (file != NULL) {
		fclose(file);
	}
	return 0;
}

static int work(bool reconciles)
{
	const char *folder = getenv("FAKE_PHASES");
	char *line = NULL;
	size_t size = 0;

	if (folder == NULL || getline(&line, &size, stdin) < 0) {
		return 2;
	}
	json_t *request = json_loads(line, 0, NULL);
	const json_t *migration = json_object_get(request, "migration");
	const char *name = json_string_value(json_object_get(migration, "name"));
	const char *phase = reconciles ? "reconcile"
				       : json_string_value(json_object_get(request, "phase"));
	bool looks = phase != NULL && strcmp(phase, "doctor") == 0;
	append_request(folder, reconciles ? "reconciles" : looks ? "looks" : "requests", line);
	int rc = name != NULL && phase != NULL ? play(folder, name, phase) : 2;
	json_decref(request);
	free(line);
	return rc;
}

int main(int argc, char **argv)
{
	bool is_worker = argc == 3 && strcmp(argv[1], "worker") == 0;

	if (is_worker && (strcmp(argv[2], "phase") == 0 || strcmp(argv[2], "reconcile") == 0)) {
		return work(strcmp(argv[2], "reconcile") == 0);
	}
	return bm_cli_main(argc, argv);
}
