/*
 * The listening socket: who may come in, how many, and what replaces a stale file.
 *
 * The socket is bound under a temporary name and renamed into place, so that its
 * rights are right from the first moment and a leftover is replaced in one step.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control/answer.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/folder.h"
#include "bucardo_machine/macros.h"
#include "daemon/control/connection.h"
#include "daemon/control/host.h"

#define CLIENTS 32
#define FOLLOWERS 16 /* so that they can never keep a probe out */
#define BACKLOG 128
#define ACCEPT_PAUSE_MSEC 200 /* after EMFILE: the loop must not spin */
#define FINISH_MSEC 200
#define TEMPORARY ".new"

struct bm_control {
	struct bm_control_server server; /* what clients see of us */
	char *path;
	dev_t device;
	ino_t inode; /* of the socket file, to remove no other's */
	int fd;
	struct bm_watch *watch;
	struct bm_timer *accept_again, *new_events;
	size_t client_count;
	struct bm_control_client *clients; /* newest first */
};

static struct bm_control *of_server(struct bm_control_server *server)
{
	return BM_CONTAINER_OF(server, struct bm_control, server);
}

/* ---- clients ---- */

static void unlink_client(struct bm_control_server *server, struct bm_control_client *client)
{
	struct bm_control *control = of_server(server);
	struct bm_control_client *before = NULL, *c = control->clients;

	for (; c != NULL && c != client; c = bm_control_client_next(c)) {
		before = c;
	}
	if (c == NULL) {
		return;
	}
	if (before == NULL) {
		control->clients = bm_control_client_next(c);
	} else {
		bm_control_client_link(before, bm_control_client_next(c));
	}
	control->client_count--;
}

static bool may_follow(struct bm_control_server *server)
{
	size_t count = 0;

	for (struct bm_control_client *c = of_server(server)->clients; c != NULL;
			c = bm_control_client_next(c)) {
		count += bm_control_client_is_following(c);
	}
	return count < FOLLOWERS;
}

/* When all places are taken, the one that has asked nothing for longest gives way. */
static void make_room(struct bm_control *control)
{
	struct bm_control_client *oldest = NULL;

	if (control->client_count < CLIENTS) {
		return;
	}
	for (struct bm_control_client *c = control->clients; c != NULL;
			c = bm_control_client_next(c)) {
		if (bm_control_client_is_idle(c)) {
			oldest = c;
		}
	}
	bm_control_client_close(oldest);
}

/* Say why, as far as it goes without waiting, and hang up. */
static void turn_away(int fd, const char *code, const char *why)
{
	struct bm_strbuf line = BM_STRBUF_INIT;

	bm_control_answer_refusal(code, why, &line);
	ssize_t ignored = send(fd, line.text, line.length, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
	bm_strbuf_finish(&line);
	bm_control_hang_up(fd);
}

/* The machine's own user and root; the mode of the file says the same. */
static bool is_allowed(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
		return false;
	}
	*uid = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void welcome(struct bm_control *control, int fd)
{
	uid_t uid = (uid_t)-1;

	if (!is_allowed(fd, &uid)) {
		bm_log(BM_LOG_WARN, "control", BM_FIELDS(bm_int("uid", (int64_t)uid)),
				"turned a client away: only the machine's user and root may ask");
		turn_away(fd, "refused", "only the machine's user and root may ask");
		return;
	}
	make_room(control);
	if (control->client_count >= CLIENTS) {
		turn_away(fd, "busy", "too many clients at once; try again");
		return;
	}
	struct bm_control_client *client = bm_control_client_open(
			&control->server, fd, uid, NULL);
	if (client != NULL) {
		bm_control_client_link(client, control->clients);
		control->clients = client;
		control->client_count++;
	}
}

static void on_connection(void *ctx, int events)
{
	struct bm_control *control = ctx;

	(void)events;
	/* A few an iteration, so that a crowd does not keep the loop. */
	for (int i = 0; i < 8; i++) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(control, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS) {
			bm_watch_change(control->watch, 0, NULL);
			bm_timer_arm(control->accept_again, ACCEPT_PAUSE_MSEC);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

static void on_accept_again(void *ctx)
{
	struct bm_control *control = ctx;

	if (bm_watch_change(control->watch, BM_IO_READ, NULL) != 0) {
		bm_timer_arm(control->accept_again, ACCEPT_PAUSE_MSEC);
	}
}

/* ---- events ---- */

/* Only noted here: the machine may be in the middle of something. */
static void on_machine_event(void *ctx)
{
	struct bm_control *control = ctx;

	if (!bm_timer_is_armed(control->new_events)) {
		bm_timer_arm(control->new_events, 1);
	}
}

static void on_new_events(void *ctx)
{
	struct bm_control *control = ctx;
	struct bm_control_client *next;

	for (struct bm_control_client *c = control->clients; c != NULL; c = next) {
		next = bm_control_client_next(c);
		bm_control_client_events(c);
	}
}

/* ---- the socket file ---- */

/* Whether somebody listens at `path` now. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd >= 0 &&
			(connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
					errno == EAGAIN);

	if (fd >= 0) {
		close(fd);
	}
	return alive;
}

/* Nothing at the path, or a socket that nobody listens on any more. */
static int check_path(const struct sockaddr_un *address, struct bm_error *err)
{
	const char *path = address->sun_path;
	struct stat info;

	if (lstat(path, &info) != 0) {
		return errno == ENOENT ? 0
				       : bm_error_set(err, BM_ERR_PRECONDITION,
							 "cannot look at '%s': %m", path);
	}
	if (!S_ISSOCK(info.st_mode)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"'%s' exists and is no socket: move it away", path);
	}
	if (is_alive(address)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"another machine listens on '%s': stop it, or give this one its own "
				"--runtime DIR",
				path);
	}
	return 0;
}

static int bind_temporary(int fd, const char *temporary, struct bm_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", temporary);
	unlink(temporary);
	/* On Linux the file gets the descriptor's rights at bind(). */
	if (fchmod(fd, 0600) != 0 ||
			bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
			chmod(temporary, 0600) != 0 || listen(fd, BACKLOG) != 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION, "cannot listen on '%s': %m",
				temporary);
	}
	return 0;
}

/* What a socket can have as its path. The folder is named otherwise where it is too long:
 * `*folder` then holds that name, and is to be closed. */
static char *short_path(const char *path, int *folder, struct bm_error *err)
{
	size_t limit = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof(TEMPORARY);
	char name[BM_FOLDER_NAME_SIZE];
	const char *last = strrchr(path, '/');

	if (strlen(path) <= limit || last == NULL) {
		return bm_strdup(path);
	}
	char *parent = bm_strndup(path, (size_t)(last - path));
	int rc = bm_folder_open(parent, folder, name, err);
	free(parent);
	return rc == 0 ? bm_format("%s%s", name, last) : NULL;
}

static int put_in_place(struct bm_control *control, struct bm_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat info;
	int folder = -1;
	char *path = short_path(control->path, &folder, err);

	if (path == NULL) {
		return -1;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	char *temporary = bm_format("%s" TEMPORARY, path);
	int rc = strlen(temporary) < sizeof(address.sun_path)
			? check_path(&address, err)
			: bm_error_set(err, BM_ERR_CONFIG,
					  "the name of the socket '%s' is too long",
					  control->path);
	if (rc == 0) {
		rc = bind_temporary(control->fd, temporary, err);
	}
	if (rc == 0 && (rename(temporary, path) != 0 || stat(path, &info) != 0)) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION, "cannot create '%s': %m",
				control->path);
		unlink(temporary);
	}
	if (rc == 0) {
		control->device = info.st_dev;
		control->inode = info.st_ino;
	}
	free(temporary);
	free(path);
	if (folder >= 0) {
		close(folder);
	}
	return rc;
}

/* ---- open and close ---- */

static void release(struct bm_control *control)
{
	bm_watch_close(control->watch);
	bm_timer_close(control->accept_again);
	bm_timer_close(control->new_events);
	if (control->fd >= 0) {
		close(control->fd);
	}
	free(control->path);
	free(control);
}

struct bm_control *bm_control_open_host(struct bm_loop *loop, const char *path,
		const struct bm_control_host *host, struct bm_machine *machine,
		struct bm_error *err)
{
	struct bm_control *control = bm_alloc(sizeof(*control));

	control->server = (struct bm_control_server){
			loop, host, machine, unlink_client, may_follow};
	control->path = bm_strdup(path);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0) {
		bm_error_set(err, BM_ERR_TRANSIENT, "cannot create a socket: %m");
	} else if (put_in_place(control, err) == 0) {
		control->watch = bm_watch_create(
				loop, control->fd, BM_IO_READ, on_connection, control, err);
	}
	if (control->watch == NULL) {
		bm_error_wrap(err, "opening the control socket");
		release(control);
		return NULL;
	}
	control->accept_again = bm_timer_create(loop, on_accept_again, control);
	control->new_events = bm_timer_create(loop, on_new_events, control);
	host->on_event(machine, on_machine_event, control);
	return control;
}

void bm_control_close(struct bm_control *control)
{
	struct stat info;

	if (control == NULL) {
		return;
	}
	uint64_t deadline = bm_clock_msec() + FINISH_MSEC;
	control->server.host->on_event(control->server.machine, NULL, NULL);
	while (control->clients != NULL) {
		bm_control_client_finish(control->clients, deadline);
	}
	if (lstat(control->path, &info) == 0 && info.st_dev == control->device &&
			info.st_ino == control->inode) {
		unlink(control->path);
	}
	release(control);
}
