/*
 * wire - a session's bytes, without libpq in between
 *
 * libpq hands out COPY data one whole message at a time, and a message is a whole
 * row: a value of 500 MB would need a gigabyte here. So libpq makes the session
 * (hosts, TLS, passwords), and between two statements, when it has nothing buffered,
 * its socket is read and written directly. Reads and writes never block.
 */
#ifndef WORKER_SESSION_WIRE_H
#define WORKER_SESSION_WIRE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"

struct bm_wire {
	int fd;
	void *tls; /* the SSL object; NULL: plain */
	const char *role;
	/* Events of poll(2) that the last read and the last write were missing; 0: none. TLS
	 * may have to write in order to read, and to read in order to write. */
	short read_wants, write_wants;
};

int bm_wire_init(struct bm_wire *wire, PGconn *conn, const char *role, struct bm_error *err);

/* Bytes moved; 0: none now, poll for bm_wire_events(); -1: the connection is lost. */
ssize_t bm_wire_read(struct bm_wire *wire, void *data, size_t size, struct bm_error *err);
ssize_t bm_wire_write(
		struct bm_wire *wire, const void *data, size_t size, struct bm_error *err);

/* What to poll for before the next read, the next write, or either of both. */
short bm_wire_events(const struct bm_wire *wire, bool reads, bool writes);

#endif
