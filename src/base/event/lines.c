/* Bytes of a pipe cut into lines, a bounded share of work at each iteration of the loop. */
#include "bucardo_machine/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "base/event/loop.h"

#define CHUNK_BYTES 16384
#define CHUNKS_OF_A_TURN 4

struct bm_lines {
	struct bm_loop *loop;
	struct bm_watch *watch;
	int fd;
	bm_lines_cb *cb;
	void *ctx;
	bool closed; /* by the owner: no callback any more */
	bool busy;   /* in on_readable(), which then frees a closed object */
	size_t limit, length;
	char *pending; /* limit + 1 bytes: the head of a line whose end has not come */
};

static void hand_out(struct bm_lines *lines, enum bm_lines_event event)
{
	size_t length = lines->length;

	lines->length = 0;
	lines->pending[length] = '\0';
	lines->cb(lines->ctx, event, lines->pending, length);
}

/* Keep the head of a line, handing out pieces when it passes the limit. */
static void keep(struct bm_lines *lines, const char *data, size_t length)
{
	while (length > 0 && !lines->closed) {
		if (lines->length == lines->limit) {
			hand_out(lines, BM_LINES_PARTIAL);
			continue;
		}
		size_t room = lines->limit - lines->length;
		size_t part = length < room ? length : room;
		memcpy(lines->pending + lines->length, data, part);
		lines->length += part;
		data += part;
		length -= part;
	}
}

static void feed(struct bm_lines *lines, const char *data, size_t length)
{
	const char *end = data + length;
	const char *newline;

	while (!lines->closed && (newline = memchr(data, '\n', (size_t)(end - data))) != NULL) {
		keep(lines, data, (size_t)(newline - data));
		if (!lines->closed) {
			hand_out(lines, BM_LINES_LINE);
		}
		data = newline + 1;
	}
	if (!lines->closed) {
		keep(lines, data, (size_t)(end - data));
	}
}

static void end(struct bm_lines *lines)
{
	bm_watch_close(lines->watch); /* an ended pipe would be ready for ever */
	lines->watch = NULL;
	if (lines->length > 0) {
		hand_out(lines, BM_LINES_LINE);
	}
	if (!lines->closed) {
		lines->cb(lines->ctx, BM_LINES_END, NULL, 0);
	}
}

static void release(struct bm_lines *lines)
{
	bm_watch_close(lines->watch);
	close(lines->fd);
	free(lines->pending);
	free(lines);
}

static void on_readable(void *ctx, int events)
{
	struct bm_lines *lines = ctx;
	char chunk[CHUNK_BYTES];

	(void)events;
	lines->busy = true;
	for (int i = 0; i < CHUNKS_OF_A_TURN && !lines->closed; i++) {
		ssize_t n = read(lines->fd, chunk, sizeof(chunk));
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			break;
		}
		if (n <= 0) {
			end(lines);
			break;
		}
		feed(lines, chunk, (size_t)n);
	}
	lines->busy = false;
	if (lines->closed) {
		release(lines);
	}
}

struct bm_lines *bm_lines_open(struct bm_loop *loop, int fd, size_t limit, bm_lines_cb *cb,
		void *ctx, struct bm_error *err)
{
	struct bm_watch *watch;
	struct bm_lines *lines = bm_alloc(sizeof(*lines));

	watch = bm_watch_create(loop, fd, BM_IO_READ, on_readable, lines, err);
	if (watch == NULL) {
		close(fd);
		free(lines);
		return NULL;
	}
	*lines = (struct bm_lines){
			.loop = loop,
			.watch = watch,
			.fd = fd,
			.cb = cb,
			.ctx = ctx,
			.limit = limit,
			.pending = bm_alloc(limit + 1),
	};
	return lines;
}

void bm_lines_read(struct bm_lines *lines)
{
	if (lines->watch != NULL) {
		on_readable(lines, BM_IO_READ);
	}
}

void bm_lines_close(struct bm_lines *lines)
{
	if (lines == NULL) {
		return;
	}
	lines->closed = true;
	if (!lines->busy) {
		release(lines);
	}
}

int bm_pipe(int ends[2], struct bm_error *err)
{
	if (pipe2(ends, O_CLOEXEC) != 0) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "cannot open a pipe: %m");
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}
