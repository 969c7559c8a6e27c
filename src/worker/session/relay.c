/*
 * The relay's loop: two sockets, two queues of bytes, one reader of messages for each
 * direction. Rows are passed on piece by piece, in messages of the relay's own size; all
 * other messages are short and looked at whole.
 */
#include "worker/session/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/session/connect.h"
#include "worker/session/send_queue.h"
#include "worker/session/wire.h"

/* A message that is no row: an error with its context may be long; the rest is cut off. */
#define KEPT_BYTES 4096

/* Statements sent ahead of the answers. */
#define AHEAD 32

/* Neither side gave or took a byte for this long: somebody is stuck. */
#define STALL_MSEC ((uint64_t)60 * 60 * 1000)

/* How long to wait for the sockets at once. */
#define IDLE_MSEC 10000

/* A stream of messages: one type byte, four of length that include themselves, body. */
struct reader {
	unsigned char header[BM_MESSAGE_HEADER_BYTES];
	size_t header_length;
	uint32_t left; /* of the body */
	bool in_body;
	char body[KEPT_BYTES + 1];
	size_t body_length;
};

struct relay {
	struct bm_wire source, destination;
	struct bm_send_queue to_source, to_destination;
	struct reader from_source, from_destination;
	char *input;
	struct bm_relay_item *items;
	size_t count;
	size_t asked;	/* items whose copy_out was sent */
	size_t given;	/* items the source is done with */
	size_t taken;	/* items the destination is done with */
	uint64_t *rows; /* what the source said it sent */
	struct bm_rate_limit *rate_limit;
	int pause_msec;		/* the rate limit allows no byte for so long; 0: it does */
	uint64_t deadline_msec; /* 0: none */
	_Atomic uint64_t *moved, *rows_moved;
	struct bm_error *err;
};

/* ---- sending ---- */

static void queue_statement(struct bm_send_queue *queue, const char *sql)
{
	bm_send_queue_message(queue, 'Q', sql, strlen(sql) + 1);
}

/* 1: something went out, 0: nothing could, -1: lost. */
static int queue_flush(struct bm_send_queue *queue, struct bm_wire *wire, struct bm_error *err)
{
	bm_send_queue_close_rows(queue);

	size_t length = bm_send_queue_length(queue);
	if (length == 0) {
		return 0;
	}
	if (length > BM_RELAY_BUFFER) {
		length = BM_RELAY_BUFFER;
	}
	ssize_t put = bm_wire_write(wire, queue->data + queue->start, length, err);
	if (put > 0) {
		queue->start += (size_t)put;
	}
	return put > 0 ? 1 : (int)put;
}

/* ---- messages ---- */

/* The field of an error message that begins with `code`, or NULL. */
static const char *error_field(const struct reader *reader, char code)
{
	for (size_t i = 0; i < reader->body_length && reader->body[i] != '\0';) {
		if (reader->body[i] == code) {
			return reader->body + i + 1;
		}
		i += strlen(reader->body + i) + 1;
	}
	return NULL;
}

static int server_error(
		struct relay *relay, const struct reader *reader, const char *role, size_t item)
{
	const char *message = error_field(reader, 'M');
	const char *context = error_field(reader, 'W');

	bm_sql_error(relay->err, error_field(reader, 'C'),
			message != NULL ? message : "an error without a message");
	if (context != NULL) {
		char where[200];
		bm_text_copy(where, sizeof(where), context);
		where[strcspn(where, "\n")] = '\0';
		bm_error_wrap(relay->err, "%s", where);
	}
	return bm_error_wrap(relay->err, "copying %s: the %s says",
			item < relay->count ? relay->items[item].name : "?", role);
}

/* The number at the end of "COPY 123". */
static uint64_t rows_of(const struct reader *reader)
{
	return strncmp(reader->body, "COPY ", 5) == 0 ? strtoull(reader->body + 5, NULL, 10)
						      : 0;
}

static int protocol_error(struct relay *relay, const char *role, char type)
{
	return bm_error_set(relay->err, BM_ERR_TRANSIENT,
			"the %s sent a message of type 0x%02x in the middle of a copy", role,
			(unsigned char)type);
}

static int on_source_message(struct relay *relay, const struct reader *reader)
{
	char type = (char)reader->header[0];

	if (relay->given >= relay->count && strchr("NSA", type) == NULL) {
		return protocol_error(relay, "source", type);
	}
	switch (type) {
	case 'H':
		queue_statement(&relay->to_destination, relay->items[relay->given].copy_in);
		return 0;
	case 'c':
		bm_send_queue_message(&relay->to_destination, 'c', "", 0);
		return 0;
	case 'C':
		relay->rows[relay->given] = rows_of(reader);
		return 0;
	case 'Z':
		relay->given++;
		return 0;
	case 'E':
		return server_error(relay, reader, "source", relay->given);
	case 'N':
	case 'S':
	case 'A':
		return 0;
	default:
		return protocol_error(relay, "source", type);
	}
}

static int on_destination_message(struct relay *relay, const struct reader *reader)
{
	char type = (char)reader->header[0];

	switch (type) {
	case 'C':
		if (relay->taken < relay->count) {
			relay->items[relay->taken].rows = rows_of(reader);
		}
		return 0;
	case 'Z':
		relay->taken++;
		return 0;
	case 'E':
		return server_error(relay, reader, "destination", relay->taken);
	case 'G':
	case 'N':
	case 'S':
	case 'A':
		return 0;
	default:
		return protocol_error(relay, "destination", type);
	}
}

/* A piece of a row, on its way through. */
static void pass_on(struct relay *relay, const char *data, size_t length)
{
	bm_send_queue_rows(&relay->to_destination, data, length);
	relay->items[relay->given].bytes += length;
}

/* The header is whole: what follows? */
static int begin_body(struct relay *relay, struct reader *reader, bool rows_pass)
{
	uint32_t size;

	memcpy(&size, reader->header + 1, 4);
	size = ntohl(size);
	if (size < 4 || size > 0x40000000 + 4) {
		return protocol_error(relay, rows_pass ? "source" : "destination",
				(char)reader->header[0]);
	}
	reader->left = size - 4;
	reader->in_body = true;
	reader->body_length = 0;
	return 0;
}

static void keep(struct reader *reader, const char *data, size_t length)
{
	size_t room = KEPT_BYTES - reader->body_length;

	if (length > room) {
		length = room;
	}
	memcpy(reader->body + reader->body_length, data, length);
	reader->body_length += length;
}

/* Take the bytes of one server apart. */
static int feed(struct relay *relay, struct reader *reader, const char *data, size_t length,
		bool rows_pass)
{
	while (length > 0 || (reader->in_body && reader->left == 0)) {
		if (!reader->in_body) {
			size_t missing = sizeof(reader->header) - reader->header_length;
			size_t part = length < missing ? length : missing;
			memcpy(reader->header + reader->header_length, data, part);
			reader->header_length += part;
			data += part;
			length -= part;
			if (part == missing && begin_body(relay, reader, rows_pass) != 0) {
				return -1;
			}
			continue;
		}
		bool row = rows_pass && reader->header[0] == 'd';
		size_t part = length < reader->left ? length : reader->left;
		if (row && relay->given < relay->count) {
			pass_on(relay, data, part);
		} else {
			keep(reader, data, part);
		}
		data += part;
		length -= part;
		reader->left -= (uint32_t)part;
		if (reader->left > 0) {
			continue;
		}
		reader->in_body = false;
		reader->header_length = 0;
		reader->body[reader->body_length] = '\0';
		if (row) { /* each has a message of its own */
			atomic_fetch_add_explicit(relay->rows_moved, 1, memory_order_relaxed);
		}
		if (!row &&
				(rows_pass ? on_source_message(relay, reader)
					   : on_destination_message(relay, reader)) != 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- the loop ---- */

static void ask_ahead(struct relay *relay)
{
	while (relay->asked < relay->count && relay->asked < relay->given + AHEAD) {
		queue_statement(&relay->to_source, relay->items[relay->asked++].copy_out);
	}
}

/* 1: something came in, 0: nothing, -1. */
static int receive(struct relay *relay, bool rows_pass)
{
	struct bm_wire *wire = rows_pass ? &relay->source : &relay->destination;
	struct reader *reader = rows_pass ? &relay->from_source : &relay->from_destination;
	size_t size = BM_RELAY_BUFFER;

	if (rows_pass) {
		size = bm_rate_limit_ask(
				relay->rate_limit, size, bm_clock_msec(), &relay->pause_msec);
	}
	ssize_t got = size > 0 ? bm_wire_read(wire, relay->input, size, relay->err) : 0;
	if (got <= 0) {
		return (int)got;
	}
	if (rows_pass) {
		bm_rate_limit_spend(relay->rate_limit, (size_t)got);
		atomic_fetch_add_explicit(relay->moved, (uint64_t)got, memory_order_relaxed);
	}
	return feed(relay, reader, relay->input, (size_t)got, rows_pass) != 0 ? -1 : 1;
}

static bool has_room(const struct relay *relay)
{
	return bm_send_queue_length(&relay->to_destination) < BM_RELAY_BUFFER;
}

/* Everything that goes without waiting. 1: something went, 0: nothing, -1. */
static int step(struct relay *relay)
{
	int moved = 0;
	int result;

	relay->pause_msec = 0;
	ask_ahead(relay);
	if ((result = queue_flush(&relay->to_source, &relay->source, relay->err)) < 0) {
		return -1;
	}
	moved |= result;
	/* First what the destination says: its error is the reason for a lost write. */
	if ((result = receive(relay, false)) < 0) {
		return -1;
	}
	moved |= result;
	if ((result = queue_flush(&relay->to_destination, &relay->destination, relay->err)) <
			0) {
		return -1;
	}
	moved |= result;
	if (has_room(relay) && relay->given < relay->count) {
		result = receive(relay, true);
		if (result < 0) {
			return -1;
		}
		moved |= result;
	}
	return moved;
}

/* A socket from which nothing is awaited is left out: its hang-up would end every wait. */
static struct pollfd awaited(const struct bm_wire *wire, bool reads, bool writes)
{
	short events = bm_wire_events(wire, reads, writes);

	return (struct pollfd){.fd = events != 0 ? wire->fd : -1, .events = events};
}

static int wait_for_sockets(struct relay *relay)
{
	bool takes_rows = has_room(relay) && relay->pause_msec == 0 &&
			relay->given < relay->count;
	struct pollfd fds[2] = {
			awaited(&relay->destination, true,
					bm_send_queue_length(&relay->to_destination) > 0),
			awaited(&relay->source, takes_rows,
					bm_send_queue_length(&relay->to_source) > 0),
	};

	int limit_msec = relay->pause_msec > 0 ? relay->pause_msec : IDLE_MSEC;
	if (relay->deadline_msec != 0) {
		uint64_t now = bm_clock_msec();
		uint64_t left = relay->deadline_msec > now ? relay->deadline_msec - now : 0;
		limit_msec = left < (uint64_t)limit_msec ? (int)left : limit_msec;
	}
	if (poll(fds, 2, limit_msec) < 0 && errno != EINTR) {
		return bm_error_set(relay->err, BM_ERR_IO, "poll failed: %m");
	}
	return 0;
}

static int pump(struct relay *relay)
{
	uint64_t last_msec = bm_clock_msec();

	while (relay->given < relay->count || relay->taken < relay->count) {
		int moved = step(relay);
		if (moved < 0) {
			return -1;
		}
		if (relay->deadline_msec != 0 && bm_clock_msec() >= relay->deadline_msec) {
			return bm_error_set(relay->err, BM_ERR_TIMEOUT,
					"copying %s: not done in time",
					relay->items[relay->taken < relay->count ? relay->taken
										 : 0]
							.name);
		}
		if (moved > 0) {
			last_msec = bm_clock_msec();
		} else if (bm_clock_msec() - last_msec > STALL_MSEC) {
			return bm_error_set(relay->err, BM_ERR_TIMEOUT,
					"no byte moved for an hour while copying %s",
					relay->items[relay->taken].name);
		} else if (wait_for_sockets(relay) != 0) {
			return -1;
		}
	}
	return 0;
}

static int compare_rows(const struct relay *relay, struct bm_error *err)
{
	for (size_t i = 0; i < relay->count; i++) {
		if (relay->items[i].rows != relay->rows[i]) {
			return bm_error_set(err, BM_ERR_INTERNAL,
					"copying %s: the source sent %" PRIu64
					" rows, the destination took %" PRIu64,
					relay->items[i].name, relay->rows[i],
					relay->items[i].rows);
		}
	}
	return 0;
}

static int run(struct relay *relay, PGconn *source, PGconn *destination, struct bm_error *err)
{
	int rc = -1;

	relay->err = err;
	relay->rows = bm_alloc((relay->count + 1) * sizeof(*relay->rows));
	relay->input = bm_alloc(BM_RELAY_BUFFER);
	if (bm_wire_init(&relay->source, source, "source", err) == 0 &&
			bm_wire_init(&relay->destination, destination, "destination", err) ==
					0 &&
			pump(relay) == 0) {
		rc = compare_rows(relay, err);
	}
	free(relay->rows);
	free(relay->input);
	bm_send_queue_free(&relay->to_source);
	bm_send_queue_free(&relay->to_destination);
	free(relay);
	return rc;
}

int bm_relay_run(PGconn *source, PGconn *destination, struct bm_relay_item *items, size_t count,
		struct bm_rate_limit *rate_limit, _Atomic uint64_t *moved,
		_Atomic uint64_t *rows, struct bm_error *err)
{
	struct relay *relay = bm_alloc(sizeof(*relay));

	*relay = (struct relay){.items = items,
			.count = count,
			.rate_limit = rate_limit,
			.moved = moved,
			.rows_moved = rows};
	return run(relay, source, destination, err);
}

int bm_relay_run_until(PGconn *source, PGconn *destination, struct bm_relay_item *items,
		size_t count, uint64_t deadline_msec, struct bm_error *err)
{
	struct relay *relay = bm_alloc(sizeof(*relay));
	struct bm_rate_limit rate_limit;
	_Atomic uint64_t moved = 0, rows = 0;

	bm_rate_limit_init(&rate_limit, 0, bm_clock_msec());
	*relay = (struct relay){.items = items,
			.count = count,
			.rate_limit = &rate_limit,
			.deadline_msec = deadline_msec,
			.moved = &moved,
			.rows_moved = &rows};
	int rc = run(relay, source, destination, err);
	bm_rate_limit_finish(&rate_limit);
	return rc;
}
