/*
 * http_ask - questions to the daemon, few whatever the crowd
 *
 * One thread asks over the control socket, one question at a time, and hands each answer to
 * all who wait for it; an answer serves for a quarter of a second. So a thousand browsers cost
 * the daemon what four a second do. When it does not answer within a second, all who wait
 * are told so at once.
 *
 * Threads: http_ask() and http_ask_collect() are for libmicrohttpd's thread; a take is
 * counted, and read only.
 */
#ifndef CLIENT_HTTP_HTTP_ASK_H
#define CLIENT_HTTP_HTTP_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;

enum http_question {
	HTTP_ASK_LIVE,
	HTTP_ASK_READY,
	HTTP_ASK_STATUS,
	HTTP_ASK_EVENTS,
	HTTP_QUESTION_COUNT
};

/* Most events in one answer. */
#define HTTP_EVENTS_LIMIT 1000

/* What a page is, written once for each take. */
enum http_form { HTTP_FORM_JSON, HTTP_FORM_PROMETHEUS, HTTP_FORM_OPENMETRICS, HTTP_FORM_COUNT };

struct http_body { /* written by libmicrohttpd's thread alone */
	char *text;
	size_t length;
	char *gzip; /* NULL: not compressed yet, or not worth it */
	size_t gzip_length;
	char etag[32]; /* "" none */
};

struct http_take {
	enum http_question question;
	uint64_t after;	  /* HTTP_ASK_EVENTS: its id */
	uint64_t at_msec; /* bm_clock_msec() when it was asked */
	int64_t at_wall_msec;
	json_t *answer; /* NULL: none came. Of HTTP_ASK_EVENTS the list, else the whole line */
	char why[512];	/* why none came */
	struct http_body bodies[HTTP_FORM_COUNT];
	unsigned users; /* guarded by the asker */
};

struct http_waiter {
	struct MHD_Connection *connection;
	enum http_question question;
	uint64_t after;
	struct http_take *take; /* the answer, once it is there */
	struct http_waiter *next;
};

struct http_asker;

struct http_asker *http_asker_create(const char *runtime);

/*
 * The answer, to be released; or NULL: the waiter's connection is suspended, and when
 * it is resumed `waiter->take` is the answer.
 */
struct http_take *http_ask(struct http_asker *asker, struct http_waiter *waiter);

/* The last status that came, to be released, or NULL: from before the daemon fell silent. */
struct http_take *http_ask_last_status(struct http_asker *asker);

struct http_take *http_take_share(struct http_asker *asker, const struct http_take *take);
void http_take_release(struct http_asker *asker, struct http_take *take); /* NULL is accepted */

/* Answer who waits, for `msec` at most. The main thread's work. */
void http_asker_work(struct http_asker *asker, unsigned msec);

#endif
