/*
 * One connection. Everything that happens (bytes, room to write, a new event)
 * ends in advance(), which does what can be done now and says what to wait for.
 */
#include "daemon/control/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/answer.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "daemon/control/request.h"

/* A request has to arrive, and an answer to be read, within this time. */
#define LIMIT_MSEC 10000

/* Events are turned into text in portions of this size, as the client reads them. */
#define EVENT_BYTES ((size_t)64 * 1024)

enum stream { STREAM_NONE, STREAM_LISTING, STREAM_FOLLOWING };

/* What a client waits for; each but WAIT_EVENT has the limit. */
enum wait { WAIT_NONE, WAIT_REQUEST, WAIT_WRITE, WAIT_EVENT };

struct bm_control_client {
	struct bm_control_server *server;
	struct bm_control_client *next;
	int fd;
	uid_t uid;
	struct bm_watch *watch;
	struct bm_timer *limit;
	enum wait wait;
	enum stream stream;
	uint64_t last_event; /* the id of the last one that was sent */
	bool ended;	     /* the client sends nothing more */
	bool closing;	     /* after the output is gone */
	struct bm_strbuf input, output;
};

static void advance(struct bm_control_client *client);

void bm_control_hang_up(int fd)
{
	char block[16384];

	/* After this nothing more comes in, so the queue has an end. */
	if (shutdown(fd, SHUT_RD) == 0) {
		while (recv(fd, block, sizeof(block), MSG_DONTWAIT) > 0) {
		}
	}
	close(fd);
}

void bm_control_client_close(struct bm_control_client *client)
{
	if (client == NULL) {
		return;
	}
	client->server->gone(client->server, client);
	bm_watch_close(client->watch);
	bm_timer_close(client->limit);
	bm_control_hang_up(client->fd);
	bm_strbuf_finish(&client->input);
	bm_strbuf_finish(&client->output);
	free(client);
}

static void on_limit(void *ctx)
{
	bm_control_client_close(ctx);
}

/* ---- output ---- */

/* Write what goes without waiting; false when the client is lost. */
static bool flush(struct bm_control_client *client)
{
	size_t done = 0;

	while (done < client->output.length) {
		ssize_t n = send(client->fd, client->output.text + done,
				client->output.length - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			break;
		}
		if (n < 0) {
			return false;
		}
		done += (size_t)n;
	}
	if (done > 0) {
		bm_strbuf_consume(&client->output, done);
		client->wait = WAIT_NONE; /* progress: the limit begins anew */
	}
	return true;
}

/* Turn the next events into output; whether there were any. */
static bool fill_with_events(struct bm_control_client *client)
{
	struct bm_control_server *server = client->server;
	struct bm_machine_event event;

	while (client->output.length < EVENT_BYTES &&
			server->host->event_after(
					server->machine, client->last_event, &event)) {
		bm_control_answer_event(&event, &client->output);
		client->last_event = event.id;
	}
	return client->output.length > 0;
}

/* ---- input ---- */

static void refuse(struct bm_control_client *client, const char *code, const char *message)
{
	bm_control_answer_refusal(code, message, &client->output);
	client->closing = true;
}

static void begin_stream(
		struct bm_control_client *client, const struct bm_control_request *request)
{
	struct bm_control_server *server = client->server;

	if (request->follow && !server->may_follow(server)) {
		refuse(client, "busy",
				"too many clients follow the events already; end one of them");
		return;
	}
	client->last_event = request->after;
	client->stream = request->follow ? STREAM_FOLLOWING : STREAM_LISTING;
}

static void handle_line(struct bm_control_client *client, const char *line, size_t length)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_control_request request;

	if (bm_control_parse(line, length, &request, &err) != 0) {
		refuse(client, "request", err.message);
	} else if (request.command == BM_CONTROL_EVENTS) {
		begin_stream(client, &request);
	} else {
		bm_control_answer(client->server->host, client->server->machine, &request,
				client->uid, &client->output);
	}
}

/* Handle the next whole line; whether there was one, or the input cannot become one. */
static bool take_line(struct bm_control_client *client)
{
	const char *start = bm_strbuf_text(&client->input);
	const char *end = memchr(start, '\n', client->input.length);

	if (end != NULL && (size_t)(end - start) <= BM_CONTROL_LIMIT_BYTES) {
		size_t length = (size_t)(end - start);
		handle_line(client, start, length);
		bm_strbuf_consume(&client->input, length + 1);
		return true;
	}
	if (client->input.length > BM_CONTROL_LIMIT_BYTES) {
		refuse(client, "request", "a request has at most 64 KiB");
		return true;
	}
	return false;
}

/* One read a turn: a client that floods us gets its share of the loop, no more. */
static bool receive(struct bm_control_client *client)
{
	char block[16384];
	ssize_t got = recv(client->fd, block, sizeof(block), MSG_DONTWAIT);

	if (got < 0) {
		return errno == EAGAIN || errno == EINTR;
	}
	if (got == 0) {
		client->ended = true;
		return client->stream != STREAM_FOLLOWING;
	}
	bm_strbuf_add(&client->input, block, (size_t)got);
	return client->stream != STREAM_FOLLOWING ||
			client->input.length <= BM_CONTROL_LIMIT_BYTES;
}

/* ---- the turn ---- */

static void wait_for(struct bm_control_client *client, enum wait wait)
{
	if (client->wait == wait) {
		return;
	}
	client->wait = wait;
	if (wait == WAIT_EVENT) {
		bm_timer_disarm(client->limit);
	} else {
		bm_timer_arm(client->limit, LIMIT_MSEC);
	}
	if (bm_watch_change(client->watch, wait == WAIT_WRITE ? BM_IO_WRITE : BM_IO_READ,
			    NULL) != 0) {
		bm_control_client_close(client);
	}
}

/* The next portion of work, when the output is empty; false when there is none. */
static bool work(struct bm_control_client *client)
{
	if (client->closing) {
		return false;
	}
	if (client->stream != STREAM_NONE) {
		if (fill_with_events(client)) {
			return true;
		}
		if (client->stream == STREAM_FOLLOWING) {
			return false;
		}
		client->stream = STREAM_NONE;
		bm_control_answer_done(&client->output);
		return true;
	}
	return take_line(client);
}

static void advance(struct bm_control_client *client)
{
	do {
		if (!flush(client)) {
			bm_control_client_close(client);
			return;
		}
		if (client->output.length > 0) {
			wait_for(client, WAIT_WRITE);
			return;
		}
	} while (work(client));
	if (client->stream == STREAM_FOLLOWING) {
		wait_for(client, WAIT_EVENT);
	} else if (client->closing || client->ended) {
		bm_control_client_close(client);
	} else {
		wait_for(client, WAIT_REQUEST);
	}
}

static void on_io(void *ctx, int events)
{
	struct bm_control_client *client = ctx;

	if ((events & BM_IO_ERROR) != 0 || ((events & BM_IO_READ) != 0 && !receive(client))) {
		bm_control_client_close(client);
		return;
	}
	advance(client);
}

void bm_control_client_events(struct bm_control_client *client)
{
	if (client->stream == STREAM_FOLLOWING) {
		advance(client);
	}
}

bool bm_control_client_is_idle(const struct bm_control_client *client)
{
	return client->wait == WAIT_REQUEST;
}

bool bm_control_client_is_following(const struct bm_control_client *client)
{
	return client->stream == STREAM_FOLLOWING;
}

struct bm_control_client *bm_control_client_next(const struct bm_control_client *client)
{
	return client->next;
}

void bm_control_client_link(struct bm_control_client *client, struct bm_control_client *next)
{
	client->next = next;
}

struct bm_control_client *bm_control_client_open(
		struct bm_control_server *server, int fd, uid_t uid, struct bm_error *err)
{
	struct bm_watch *watch;
	struct bm_control_client *client = bm_alloc(sizeof(*client));

	*client = (struct bm_control_client){.server = server, .fd = fd, .uid = uid};
	watch = bm_watch_create(server->loop, fd, BM_IO_READ, on_io, client, err);
	if (watch == NULL) {
		close(fd);
		free(client);
		return NULL;
	}
	client->watch = watch;
	client->limit = bm_timer_create(server->loop, on_limit, client);
	client->wait = WAIT_REQUEST;
	bm_timer_arm(client->limit, LIMIT_MSEC);
	return client;
}

/* The machine ends: its followers get the rest of the story and an end. */
void bm_control_client_finish(struct bm_control_client *client, uint64_t deadline_msec)
{
	if (client->stream == STREAM_FOLLOWING) {
		client->stream = STREAM_LISTING;
	}
	for (;;) {
		uint64_t now = bm_clock_msec();
		struct pollfd room = {.fd = client->fd, .events = POLLOUT};
		if (!flush(client)) {
			break;
		}
		if (client->output.length == 0) {
			if (client->stream == STREAM_NONE || !work(client)) {
				break;
			}
		} else if (now >= deadline_msec ||
				poll(&room, 1, (int)(deadline_msec - now)) <= 0) {
			break;
		}
	}
	bm_control_client_close(client);
}
