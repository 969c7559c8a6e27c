/* The table of connections: a list, oldest turn first to give way. */
#include "client/http/http_connections.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "client/http/http_library.h"

/* For a whole request to arrive, or between two; and for an answer to be taken. */
#define REQUEST_MSEC 10000
#define ANSWER_MSEC 30000

struct connection {
	int fd;
	bool is_answering, is_cut;
	uint64_t since_msec; /* of is_answering */
	struct connection *next, **place;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct connection *connections;
static size_t count;

/* libmicrohttpd sees the end of it and closes; the descriptor is its until then. */
static void cut(struct connection *one)
{
	one->is_cut = true;
	shutdown(one->fd, SHUT_RDWR);
}

/* Those that send nothing before those that read nothing, the longest first. */
static struct connection *who_gives_way(void)
{
	struct connection *worst = NULL;

	for (struct connection *one = connections; one != NULL; one = one->next) {
		if (!one->is_cut &&
				(worst == NULL || one->is_answering < worst->is_answering ||
						(one->is_answering == worst->is_answering &&
								one->since_msec <=
										worst->since_msec))) {
			worst = one;
		}
	}
	return worst;
}

static struct connection *add(struct MHD_Connection *connection)
{
	struct connection *one = bm_alloc(sizeof(*one));

	*one = (struct connection){
			.fd = http_library.get_connection_info(connection,
							  MHD_CONNECTION_INFO_CONNECTION_FD)
					      ->connect_fd,
			.since_msec = bm_clock_msec(),
			.next = connections,
			.place = &connections,
	};
	if (one->next != NULL) {
		one->next->place = &one->next;
	}
	connections = one;
	count++;
	return one;
}

static void take_off(struct connection *one)
{
	*one->place = one->next;
	if (one->next != NULL) {
		one->next->place = one->place;
	}
	count -= one->is_cut ? 0 : 1;
	free(one);
}

void http_connection_notify(void *cls, struct MHD_Connection *connection, void **context,
		enum MHD_ConnectionNotificationCode what)
{
	(void)cls;
	pthread_mutex_lock(&mutex);
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context != NULL) {
			take_off(*context);
		}
		*context = NULL;
	} else {
		struct connection *worst = count >= HTTP_CONNECTIONS ? who_gives_way() : NULL;
		if (worst != NULL) {
			cut(worst);
			count--;
		}
		*context = add(connection);
	}
	pthread_mutex_unlock(&mutex);
}

void http_connection_turn(struct MHD_Connection *connection, bool is_answering)
{
	const union MHD_ConnectionInfo *info = http_library.get_connection_info(
			connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *one = info != NULL ? info->socket_context : NULL;

	if (one == NULL) {
		return;
	}
	pthread_mutex_lock(&mutex);
	one->is_answering = is_answering;
	one->since_msec = bm_clock_msec();
	pthread_mutex_unlock(&mutex);
}

void http_connections_sweep(void)
{
	uint64_t now = bm_clock_msec();

	pthread_mutex_lock(&mutex);
	for (struct connection *one = connections; one != NULL; one = one->next) {
		uint64_t limit = one->is_answering ? ANSWER_MSEC : REQUEST_MSEC;
		if (!one->is_cut && now - one->since_msec > limit) {
			cut(one);
			count--;
		}
	}
	pthread_mutex_unlock(&mutex);
}
