/*
 * meter - a child under an init, that measures this init; prints one number
 *
 *   meter trickle N   make N orphans one after the other; the most unreaped ones seen at once
 *   meter burst N     let N orphans die at one instant; milliseconds until the last is reaped
 *   meter term        wait for SIGTERM; CLOCK_MONOTONIC in microseconds when it arrived
 *   meter stamp FILE  append CLOCK_MONOTONIC in microseconds to FILE, and stay
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_EVERY 20

static int64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* How many children the init has besides us. */
static int count_siblings(void)
{
	char path[64], text[65536];
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(), getppid());
	int fd = open(path, O_RDONLY);
	if (fd < 0) {
		fail(path);
	}
	ssize_t length;
	while ((length = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < length; i++) {
			count += text[i] == ' ';
		}
	}
	close(fd);
	return count - 1;
}

/* A grandchild whose parent is gone: it waits for the end of `gate`, if there is one. */
static void make_orphan(const int *gate)
{
	pid_t parent = fork();

	if (parent < 0) {
		fail("fork");
	}
	if (parent == 0) {
		if (fork() == 0 && gate != NULL) {
			char byte;
			close(gate[1]);
			(void)!read(gate[0], &byte, 1);
		}
		_exit(0);
	}
	waitpid(parent, NULL, 0);
}

static int trickle(int count)
{
	int most = 0;

	for (int i = 0; i < count; i++) {
		make_orphan(NULL);
		if (i % SAMPLE_EVERY == 0) {
			int seen = count_siblings();
			most = seen > most ? seen : most;
		}
	}
	printf("%d\n", most);
	return 0;
}

static int burst(int count)
{
	int gate[2];
	const struct timespec pause = {.tv_nsec = 200000};

	if (pipe2(gate, O_CLOEXEC) != 0) {
		fail("pipe2");
	}
	for (int i = 0; i < count; i++) {
		make_orphan(gate);
	}
	if (count_siblings() != count) {
		fprintf(stderr, "%d orphans instead of %d\n", count_siblings(), count);
		return 1;
	}
	int64_t begin = now_usec();
	close(gate[1]);
	while (count_siblings() > 0) {
		nanosleep(&pause, NULL);
	}
	printf("%.3f\n", (double)(now_usec() - begin) / 1000);
	return 0;
}

static int wait_for_term(void)
{
	sigset_t set;
	int signo;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("waiting");
	fflush(stdout);
	sigwait(&set, &signo);
	printf("%lld\n", (long long)now_usec());
	return 0;
}

static int stamp(const char *path)
{
	FILE *file = fopen(path, "a");

	if (file == NULL) {
		fail(path);
	}
	fprintf(file, "%lld\n", (long long)now_usec());
	fclose(file);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "trickle") == 0) {
		return trickle(atoi(argv[2]));
	}
	if (argc == 3 && strcmp(argv[1], "burst") == 0) {
		return burst(atoi(argv[2]));
	}
	if (argc == 2 && strcmp(argv[1], "term") == 0) {
		return wait_for_term();
	}
	if (argc == 3 && strcmp(argv[1], "stamp") == 0) {
		return stamp(argv[2]);
	}
	fprintf(stderr, "usage: meter trickle N | burst N | term | stamp FILE\n");
	return 2;
}
