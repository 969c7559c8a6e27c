/* Readiness probes by TCP connection and by command, never blocking the loop. */
#include "daemon/supervise/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/spawn.h"

struct bm_probe {
	struct bm_loop *loop;
	void (*answered)(void *ctx, bool ready, const char *why);
	void *ctx;
	struct bm_timer *limit;
	int fd; /* of the connection; -1: none */
	struct bm_watch *watch;
	pid_t pid; /* of the command; 0: none */
	struct bm_error err;
};

void bm_probe_cancel(struct bm_probe *probe)
{
	bm_timer_disarm(probe->limit);
	bm_watch_close(probe->watch);
	probe->watch = NULL;
	if (probe->fd >= 0) {
		close(probe->fd);
		probe->fd = -1;
	}
	if (probe->pid > 0) {
		bm_child_forget(probe->loop, probe->pid);
		kill(-probe->pid, SIGKILL); /* its session; unreaped, so the number is still its
					     */
		probe->pid = 0;
	}
}

static void answer(struct bm_probe *probe, bool ready, const char *why)
{
	bm_probe_cancel(probe);
	probe->answered(probe->ctx, ready, why); /* last: it may close the probe */
}

static void on_limit(void *ctx)
{
	struct bm_probe *probe = ctx;

	answer(probe, false,
			probe->err.code == BM_ERR_NONE ? "no answer in time"
						       : probe->err.message);
}

/* An answer that is known at once still comes from the loop. */
static void answer_soon(struct bm_probe *probe)
{
	bm_timer_arm(probe->limit, 0);
}

struct bm_probe *bm_probe_create(struct bm_loop *loop,
		void (*answered)(void *ctx, bool ready, const char *why), void *ctx)
{
	struct bm_probe *probe = bm_alloc(sizeof(*probe));

	*probe = (struct bm_probe){.loop = loop, .answered = answered, .ctx = ctx, .fd = -1};
	probe->limit = bm_timer_create(loop, on_limit, probe);
	return probe;
}

void bm_probe_close(struct bm_probe *probe)
{
	if (probe != NULL) {
		bm_probe_cancel(probe);
		bm_timer_close(probe->limit);
		free(probe);
	}
}

static int parse_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && *end == '\0' && port <= 65535 ? (int)port : 0;
}

/* "127.0.0.1:7446" or "[::1]:7446"; -1 with `err` for anything else. */
static int parse_address(const char *text, struct sockaddr_storage *out, struct bm_error *err)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[' && colon != NULL && colon > text + 1 &&
			colon[-1] == ']';
	char host[INET6_ADDRSTRLEN];
	int port = colon == NULL ? 0 : parse_port(colon + 1);
	size_t length = colon == NULL ? 0 : (size_t)(colon - text) - (bracketed ? 2 : 0);

	memset(out, 0, sizeof(*out));
	if (port > 0 && length < sizeof(host)) {
		snprintf(host, sizeof(host), "%.*s", (int)length, text + (bracketed ? 1 : 0));
		if (!bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
			v4->sin_family = AF_INET;
			v4->sin_port = htons((uint16_t)port);
			return 0;
		}
		if (bracketed && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
			v6->sin6_family = AF_INET6;
			v6->sin6_port = htons((uint16_t)port);
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"'%s' is no numeric address with a port, such as 127.0.0.1:7446 or "
			"[::1]:7446",
			text);
}

static void on_connected(void *ctx, int events)
{
	struct bm_probe *probe = ctx;
	int problem = 0;
	socklen_t size = sizeof(problem);

	(void)events;
	getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
	answer(probe, problem == 0, problem == 0 ? "" : strerror(problem));
}

static int begin_connection(struct bm_probe *probe, const struct sockaddr_storage *address)
{
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	probe->fd = socket(address->ss_family, type, 0);
	if (probe->fd < 0 ||
			(connect(probe->fd, (const struct sockaddr *)address,
					 sizeof(*address)) != 0 &&
					errno != EINPROGRESS)) {
		return bm_error_set(&probe->err, BM_ERR_IO, "cannot connect: %m");
	}
	probe->watch = bm_watch_create(
			probe->loop, probe->fd, BM_IO_WRITE, on_connected, probe, &probe->err);
	return probe->watch == NULL ? -1 : 0;
}

void bm_probe_ask_tcp(struct bm_probe *probe, const char *address, uint64_t limit_msec)
{
	struct sockaddr_storage parsed;

	bm_probe_cancel(probe);
	probe->err = (struct bm_error)BM_ERROR_INIT;
	bm_timer_arm(probe->limit, limit_msec);
	if (parse_address(address, &parsed, &probe->err) != 0 ||
			begin_connection(probe, &parsed) != 0) {
		answer_soon(probe);
	}
}

static void on_command_end(void *ctx, pid_t pid, int status)
{
	struct bm_probe *probe = ctx;
	char text[BM_EXIT_TEXT_SIZE];

	(void)pid;
	probe->pid = 0;
	answer(probe, status == 0, status == 0 ? "" : bm_exit_text(status, text));
}

void bm_probe_ask_exec(struct bm_probe *probe, const char *const *argv, const char *const *env,
		const char *cwd, uint64_t limit_msec)
{
	struct bm_spawn spawn = BM_SPAWN_INIT;

	bm_probe_cancel(probe);
	probe->err = (struct bm_error)BM_ERROR_INIT;
	bm_timer_arm(probe->limit, limit_msec);
	spawn.argv = argv;
	spawn.env = env;
	spawn.cwd = cwd;
	pid_t pid = bm_spawn(probe->loop, &spawn, on_command_end, probe, &probe->err);
	if (pid < 0) {
		answer_soon(probe);
		return;
	}
	probe->pid = pid;
}
