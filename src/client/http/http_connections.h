/*
 * http_connections - how many there are, and who gives way
 *
 * libmicrohttpd knows a limit and an idle time; a client that sends a byte a second passes
 * both and keeps others out. Here the one that has kept us waiting for longest gives way to
 * each new one over the limit, and a request or an answer that takes too long is cut.
 *
 * Threads: any.
 */
#ifndef CLIENT_HTTP_HTTP_CONNECTIONS_H
#define CLIENT_HTTP_HTTP_CONNECTIONS_H

#include <microhttpd.h>

#include <stdbool.h>

/* Connections at once; those over it make room within the same turn of libmicrohttpd. */
#define HTTP_CONNECTIONS 192
#define HTTP_CONNECTIONS_HARD 256

/* For libmicrohttpd (MHD_OPTION_NOTIFY_CONNECTION). */
void http_connection_notify(void *cls, struct MHD_Connection *connection, void **context,
		enum MHD_ConnectionNotificationCode what);

/* Its request is whole, or answered: the time begins anew. */
void http_connection_turn(struct MHD_Connection *connection, bool is_answering);

/* Cut those that take too long. */
void http_connections_sweep(void);

#endif
