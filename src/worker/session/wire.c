/* Reads and writes on the socket of a libpq session, plain or through its TLS object. */
#include "worker/session/wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

int bm_wire_init(struct bm_wire *wire, PGconn *conn, const char *role, struct bm_error *err)
{
	*wire = (struct bm_wire){
			.fd = PQsocket(conn),
			.tls = PQsslStruct(conn, "OpenSSL"),
			.role = role,
	};
	if (wire->fd < 0) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "the connection to the %s is closed",
				role);
	}
	if (PQsslInUse(conn) && wire->tls == NULL) {
		return bm_error_set(err, BM_ERR_INTERNAL,
				"this libpq encrypts with a library other than OpenSSL");
	}
	return 0;
}

static int lost(const struct bm_wire *wire, const char *how, struct bm_error *err)
{
	return bm_error_set(err, BM_ERR_TRANSIENT, "lost the connection to the %s: %s",
			wire->role, how);
}

static ssize_t failed(struct bm_wire *wire, short wanted, short *wants, struct bm_error *err)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		*wants = wanted;
		return 0;
	}
	return bm_error_set(
			err, BM_ERR_TRANSIENT, "lost the connection to the %s: %m", wire->role);
}

/* TLS may have to read in order to write, and the other way round. */
static ssize_t tls_result(struct bm_wire *wire, int result, short *wants, struct bm_error *err)
{
	switch (SSL_get_error(wire->tls, result)) {
	case SSL_ERROR_WANT_READ:
		*wants = POLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		*wants = POLLOUT;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return lost(wire, "the server closed it", err);
	default:
		return lost(wire, "TLS failed or the server closed it", err);
	}
}

ssize_t bm_wire_read(struct bm_wire *wire, void *data, size_t size, struct bm_error *err)
{
	wire->read_wants = 0;
	if (wire->tls != NULL) {
		ERR_clear_error();
		int got = SSL_read(wire->tls, data, (int)size);
		return got > 0 ? got : tls_result(wire, got, &wire->read_wants, err);
	}
	ssize_t got = recv(wire->fd, data, size, MSG_DONTWAIT);
	if (got == 0) {
		return lost(wire, "the server closed it", err);
	}
	return got > 0 ? got : failed(wire, POLLIN, &wire->read_wants, err);
}

ssize_t bm_wire_write(struct bm_wire *wire, const void *data, size_t size, struct bm_error *err)
{
	wire->write_wants = 0;
	if (wire->tls != NULL) {
		ERR_clear_error();
		int put = SSL_write(wire->tls, data, (int)size);
		return put > 0 ? put : tls_result(wire, put, &wire->write_wants, err);
	}
	ssize_t put = send(wire->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	return put >= 0 ? put : failed(wire, POLLOUT, &wire->write_wants, err);
}

short bm_wire_events(const struct bm_wire *wire, bool reads, bool writes)
{
	short read_events = wire->read_wants != 0 ? wire->read_wants : POLLIN;
	short write_events = wire->write_wants != 0 ? wire->write_wants : POLLOUT;

	return (short)((reads ? read_events : 0) | (writes ? write_events : 0));
}
