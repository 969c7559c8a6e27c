/* A relay over TLS that has to write in order to read, and the other way round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"
#include "worker/session/relay.h"

/* One side of the conversation: what it sends, and what it waits for before that. */
struct side {
	int fd;
	const char *input;
	size_t left;
	int read_misses, write_misses; /* SSL_ERROR_WANT_* until it was polled for; 0: none */
	int said;		       /* the last one of SSL_get_error() */
	bool answers;		       /* it got what its input is the answer to */
};

static struct side source, destination;
static unsigned polls;

static struct side *side_of(const void *pointer)
{
	return (struct side *)(uintptr_t)pointer;
}

int PQsocket(const PGconn *conn)
{
	return side_of(conn)->fd;
}

void *PQsslStruct(PGconn *conn, const char *name)
{
	(void)name;
	return conn;
}

int PQsslInUse(PGconn *conn)
{
	(void)conn;
	return 1;
}

static int miss(struct side *side, int what)
{
	side->said = what;
	return -1;
}

int SSL_read(SSL *ssl, void *data, int size)
{
	struct side *side = side_of(ssl);

	if (side->read_misses != 0) {
		return miss(side, side->read_misses);
	}
	if (side->left == 0 || !side->answers) {
		return miss(side, SSL_ERROR_WANT_READ);
	}
	size_t part = side->left < (size_t)size ? side->left : (size_t)size;
	memcpy(data, side->input, part);
	side->input += part;
	side->left -= part;
	return (int)part;
}

int SSL_write(SSL *ssl, const void *data, int size)
{
	struct side *side = side_of(ssl);

	if (side->write_misses != 0) {
		return miss(side, side->write_misses);
	}
	/* The source answers a statement, the destination the end of the rows. */
	side->answers = side->answers || side == &source ||
			memcmp((const char *)data + size - 5, "c\0\0\0\4", 5) == 0;
	return size;
}

int SSL_get_error(const SSL *ssl, int result)
{
	(void)result;
	return side_of(ssl)->said;
}

static bool is_met(int what, short events)
{
	return (what == SSL_ERROR_WANT_READ && (events & POLLIN) != 0) ||
			(what == SSL_ERROR_WANT_WRITE && (events & POLLOUT) != 0);
}

/* Nothing comes by itself: only what is waited for happens. */
int poll(struct pollfd *fds, nfds_t count, int msec)
{
	bool met = false;

	(void)msec;
	for (nfds_t i = 0; i < count; i++) {
		struct side *side = fds[i].fd == source.fd ? &source : &destination;
		if (is_met(side->read_misses, fds[i].events)) {
			side->read_misses = 0;
			met = true;
		}
		if (is_met(side->write_misses, fds[i].events)) {
			side->write_misses = 0;
			met = true;
		}
	}
	polls++;
	assert_true(met); /* else the relay would wait for what does not come */
	return 1;
}

static const char from_source[] = "H\0\0\0\7\0\0\0"
				  "d\0\0\0\6x\n"
				  "c\0\0\0\4"
				  "C\0\0\0\13COPY 1\0"
				  "Z\0\0\0\5T";
static const char from_destination[] = "G\0\0\0\7\0\0\0"
				       "C\0\0\0\13COPY 1\0"
				       "Z\0\0\0\5T";

static void run(int source_reads, int source_writes, int destination_reads,
		int destination_writes)
{
	struct bm_relay_item item = {.name = "t",
			.copy_out = "COPY t TO STDOUT",
			.copy_in = "COPY t FROM STDIN"};
	struct bm_rate_limit rate_limit;
	struct bm_error err = BM_ERROR_INIT;
	_Atomic uint64_t moved = 0, rows = 0;

	source = (struct side){1001, from_source, sizeof(from_source) - 1, source_reads,
			source_writes, 0, false};
	destination = (struct side){1002, from_destination, sizeof(from_destination) - 1,
			destination_reads, destination_writes, 0, false};
	polls = 0;
	bm_rate_limit_init(&rate_limit, 0, 0);
	int rc = bm_relay_run((PGconn *)&source, (PGconn *)&destination, &item, 1, &rate_limit,
			&moved, &rows, &err);
	assert_string_equal(err.message, "");
	assert_int_equal(rc, 0);
	assert_int_equal(item.rows, 1);
	assert_int_equal(rows, 1);
	bm_rate_limit_finish(&rate_limit);
}

static void test_what_a_side_wants_is_what_is_waited_for(void **state)
{
	static const int wants[] = {0, SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE};

	(void)state;
	for (size_t i = 0; i < 81; i++) {
		run(wants[i % 3], wants[i / 3 % 3], wants[i / 9 % 3], wants[i / 27 % 3]);
		assert_true(i == 0 || polls > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_what_a_side_wants_is_what_is_waited_for),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
