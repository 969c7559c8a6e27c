/* The socket that is listened on, made by hand so that a failure can be told. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bucardo_machine/strbuf.h"
#include "client/http/http_server.h"

#define BACKLOG 256

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Numeric alone: names are never asked for. */
static socklen_t parse(const char *at, union address *out)
{
	const char *colon = strrchr(at, ':');
	char host[INET6_ADDRSTRLEN + 2];

	memset(out, 0, sizeof(*out));
	if (colon == NULL || (size_t)(colon - at) >= sizeof(host)) {
		return 0;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - at), at);
	in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	size_t length = strlen(host);
	if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		out->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		return inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1 ? sizeof(out->v6)
									      : 0;
	}
	out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	return inet_pton(AF_INET, length == 0 ? "0.0.0.0" : host, &out->v4.sin_addr) == 1
			? sizeof(out->v4)
			: 0;
}

static int listen_on(const union address *address, socklen_t size)
{
	int on = 1, off = 0;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->any.sa_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	}
	if (bind(fd, &address->any, size) != 0 || listen(fd, BACKLOG) != 0) {
		int reason = errno;
		close(fd);
		errno = reason;
		return -1;
	}
	return fd;
}

int http_listen(const char *at, struct bm_error *err)
{
	union address address;
	char both[32];
	int fd = -1;

	/* All addresses of both kinds, where there are both. */
	if (at[0] == ':' && snprintf(both, sizeof(both), "[::]%s", at) < (int)sizeof(both)) {
		socklen_t size = parse(both, &address);
		fd = size > 0 ? listen_on(&address, size) : -1;
	}
	if (fd >= 0) {
		return fd;
	}
	socklen_t size = parse(at, &address);
	if (size == 0) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"'%s' is no place to listen at; :PORT, 127.0.0.1:PORT or [::1]:PORT",
				at);
	}
	fd = listen_on(&address, size);
	return fd >= 0 ? fd
		       : bm_error_set(err, BM_ERR_CONFIG,
					 "cannot listen at %s: %m; `http: {listen: …}` in "
					 "machine.yaml names another place, or none",
					 at);
}
