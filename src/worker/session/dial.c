/* dial - see dial.h */
#include "worker/session/dial.h"

#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bucardo_machine/clock.h"

#define DEFAULT_SECONDS 15
/* How much longer a server may be silent whose computer has answered. */
#define SLOW_FACTOR 4
#define LIMIT_MSEC (5 * 60 * 1000)
#define SLICE_MSEC 500

/* As libpq has it: 0 is no limit, 1 is taken as 2. */
static uint64_t silence_msec(const struct bm_conninfo *words)
{
	const char *text = bm_conninfo_get(words, "connect_timeout");
	long seconds = text != NULL ? strtol(text, NULL, 10) : DEFAULT_SECONDS;

	if (seconds <= 0) {
		return LIMIT_MSEC;
	}
	return (uint64_t)(seconds < 2 ? 2 : seconds) * 1000;
}

/* Whether the name stands for several, of which libpq would take another; it tries the next by
 * itself only after an error, or when its own clock has run out. */
static bool has_several(const struct bm_conninfo *words)
{
	const char *host = bm_conninfo_get(words, "hostaddr");
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

	host = host != NULL ? host : bm_conninfo_get(words, "host");
	if (host == NULL || host[0] == '/') {
		return false;
	}
	if (strchr(host, ',') != NULL) {
		return true;
	}
	bool several = getaddrinfo(host, NULL, &hints, &found) == 0 && found->ai_next != NULL;
	if (found != NULL) {
		freeaddrinfo(found);
	}
	return several;
}

static bool is_taken(const PGconn *conn)
{
	return PQstatus(conn) != CONNECTION_STARTED && PQstatus(conn) != CONNECTION_NEEDED;
}

/*
 * Wait for the socket. What poll(2) comes back late for was no silence of the server: this
 * process was not given a processor. Returns how long it was silent, 0 when it is ready.
 */
static uint64_t wait_slice(const PGconn *conn, short events)
{
	struct pollfd fd = {.fd = PQsocket(conn), .events = events};
	uint64_t begun = bm_clock_msec();

	if (poll(&fd, 1, SLICE_MSEC) > 0) {
		return 0;
	}
	uint64_t spent = bm_clock_msec() - begun;
	return spent > SLICE_MSEC ? SLICE_MSEC : spent;
}

/* Returns whether libpq has come to an end, good or bad; false: silent for too long. */
static bool pursue(PGconn *conn, uint64_t silence)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	uint64_t silent = 0, all = 0;

	while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
		uint64_t waited = wait_slice(
				conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT);
		silent = waited == 0 ? 0 : silent + waited;
		all += waited;
		if (silent >= silence * (is_taken(conn) ? SLOW_FACTOR : 1) ||
				all >= LIMIT_MSEC) {
			return false;
		}
		if (waited == 0) {
			status = PQconnectPoll(conn);
		}
	}
	return true;
}

static PGconn *begin(const struct bm_conninfo *words, bool at_once)
{
	const char *const *keywords = (const char *const *)words->keywords;
	const char *const *values = (const char *const *)words->values;

	return at_once ? PQconnectStartParams(keywords, values, 0)
		       : PQconnectdbParams(keywords, values, 0);
}

PGconn *bm_dial(const struct bm_conninfo *words, char *silent, size_t size)
{
	uint64_t silence = silence_msec(words);
	PGconn *conn = begin(words, true);

	silent[0] = '\0';
	if (PQstatus(conn) == CONNECTION_BAD || pursue(conn, silence)) {
		return conn;
	}
	bool was_taken = is_taken(conn);
	if (!was_taken && has_several(words)) {
		PQfinish(conn);
		return begin(words, false);
	}
	char span[BM_CLOCK_TEXT_SIZE];
	snprintf(silent, size, "%s for %s",
			was_taken ? "its computer has taken the connection, but the server says nothing"
				  : "no answer",
			bm_clock_format_span(silence * (was_taken ? SLOW_FACTOR : 1), span));
	return conn;
}
