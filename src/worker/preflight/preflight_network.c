/* What the connections really are: encrypted or not, with whom. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/preflight/preflight.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

static bool is_loopback(const union address *address)
{
	const struct in6_addr *v6 = &address->v6.sin6_addr;

	if (address->any.sa_family == AF_INET) {
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
	}
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

static bool is_same_host(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family) {
		return false;
	}
	return a->any.sa_family == AF_INET ? a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
					   : memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
							     sizeof(struct in6_addr)) == 0;
}

/* Whether the bytes leave this host, as its sockets see it: not those of a unix socket, of the
 * loopback, or to an address of our own. What cannot be found out is another host. */
static bool is_far(const PGconn *conn)
{
	union address here = {0}, there = {0};
	socklen_t here_size = sizeof(here), there_size = sizeof(there);

	if (getsockname(PQsocket(conn), &here.any, &here_size) != 0 ||
			getpeername(PQsocket(conn), &there.any, &there_size) != 0) {
		return true;
	}
	if (there.any.sa_family == AF_UNIX) {
		return false;
	}
	return !is_loopback(&there) && !is_same_host(&here, &there);
}

/* Encryption alone does not say who is at the other end. */
void bm_preflight_network(
		struct bm_phase *phase, enum bm_side side, bm_preflight_find *find, void *ctx)
{
	const struct bm_phase_endpoint *endpoint = bm_phase_endpoint(phase, side);
	PGconn *conn = phase->conns[side];
	const char *mode = endpoint->sslmode != NULL ? endpoint->sslmode : "prefer";
	char why[240];

	if (!is_far(conn)) {
		return;
	}
	if (!PQsslInUse(conn) && !PQgssEncInUse(conn)) {
		snprintf(why, sizeof(why),
				"the connection to another host is not encrypted (sslmode %.20s): "
				"whoever is on the way reads all rows, and can change them",
				mode);
		find(ctx, BM_SEVERITY_DEGRADES, bm_side_name(side), why,
				"set sslmode: verify-full and sslrootcert, or at least sslmode: "
				"require, and let the server offer TLS");
	} else if (strncmp(mode, "verify", 6) != 0) {
		find(ctx, BM_SEVERITY_NOTE, bm_side_name(side),
				"the connection is encrypted, but nobody checks that it is the right "
				"server that answers",
				"set sslmode: verify-full and sslrootcert, the file of its CA");
	}
}
