/*
 * connection - one connection of the control socket
 *
 * Reads requests, carries answers, streams events. Every client has a bound on
 * what it may make us keep and on how long it may keep us waiting; none is ever
 * waited for. Requests of one connection are answered one after the other: the
 * next is not read before the answer to the last one is gone.
 */
#ifndef DAEMON_CONTROL_CONNECTION_H
#define DAEMON_CONTROL_CONNECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/control/host.h"

struct bm_control_client;

/* What a client needs of the server. */
struct bm_control_server {
	struct bm_loop *loop;
	const struct bm_control_host *host;
	struct bm_machine *machine;
	/* The client is about to free itself. */
	void (*gone)(struct bm_control_server *server, struct bm_control_client *client);
	/* Whether one more may follow the events. */
	bool (*may_follow)(struct bm_control_server *server);
};

/* Takes over `fd` (non-blocking), also on failure. */
struct bm_control_client *bm_control_client_open(
		struct bm_control_server *server, int fd, uid_t uid, struct bm_error *err);

/*
 * Close a connection so that what was sent before still arrives: the kernel throws
 * that away when we close with bytes unread.
 */
void bm_control_hang_up(int fd);

/* Close at once and free; calls gone(). NULL is accepted. */
void bm_control_client_close(struct bm_control_client *client);

/* New events exist: pass them on if this one follows. It may close itself. */
void bm_control_client_events(struct bm_control_client *client);

/* Nothing was asked yet: such a client may be dropped for a newer one. */
bool bm_control_client_is_idle(const struct bm_control_client *client);
bool bm_control_client_is_following(const struct bm_control_client *client);

/* Write what is due, at most until `deadline_msec` (bm_clock_msec()), then close. */
void bm_control_client_finish(struct bm_control_client *client, uint64_t deadline_msec);

/* The list the server keeps them in. */
struct bm_control_client *bm_control_client_next(const struct bm_control_client *client);
void bm_control_client_link(struct bm_control_client *client, struct bm_control_client *next);

#endif
