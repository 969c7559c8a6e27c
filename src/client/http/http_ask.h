/*
 * http_ask - questions to the daemon and to the history, few whatever the crowd
 *
 * An asker has one thread that asks, one question at a time, and hands each answer to
 * all who wait for it; an answer serves for a quarter of a second. So a thousand browsers cost
 * the daemon what four a second do. When it does not answer within a second, all who wait
 * are told so at once. The daemon has an asker (http_daemon.h), and what may wait for a
 * database another one, so that no probe ever stands behind that.
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

#include "bucardo_machine/error.h"

struct MHD_Connection;

enum http_question {
	HTTP_ASK_LIVE,
	HTTP_ASK_READY,
	HTTP_ASK_BRIEF, /* the status without findings */
	HTTP_ASK_STATUS,
	HTTP_ASK_EVENTS,
	HTTP_ASK_HISTORY, /* from here on: another asker than the daemon's */
	HTTP_ASK_REPORT,
	HTTP_QUESTION_COUNT,
	HTTP_ASK_NOTHING = HTTP_QUESTION_COUNT /* a page that needs no answer */
};

/* What is asked for; two that are equal have one answer. */
struct http_wanted {
	enum http_question question;
	uint64_t after;	  /* HTTP_ASK_EVENTS: its id */
	int64_t from, to; /* HTTP_ASK_HISTORY: seconds since the epoch; 0 not given */
	char name[128];	  /* of a migration; "" none */
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
	struct http_wanted wanted;
	uint64_t at_msec; /* bm_clock_msec() when it was asked */
	int64_t at_wall_msec;
	json_t *answer; /* NULL: none came. Of HTTP_ASK_EVENTS the list, else the whole line */
	char why[512];	/* why none came */
	struct http_body bodies[HTTP_FORM_COUNT];
	unsigned users; /* guarded by the asker */
};

struct http_waiter {
	struct MHD_Connection *connection;
	struct http_wanted wanted;
	struct http_take *take; /* the answer, once it is there */
	struct http_waiter *next;
};

struct http_asker;

/* Get an answer; NULL with `err`. Called by http_asker_work(). */
typedef json_t *http_talk(void *ctx, const struct http_wanted *wanted, struct bm_error *err);

struct http_asker *http_asker_create(http_talk *talk, void *ctx);

/*
 * The answer, to be released; or NULL: the waiter's connection is suspended, and when
 * it is resumed `waiter->take` is the answer.
 */
struct http_take *http_ask(struct http_asker *asker, struct http_waiter *waiter);

/* The last brief status that came, to be released, or NULL: from before the daemon fell silent.
 */
struct http_take *http_ask_last_status(struct http_asker *asker);

struct http_take *http_take_share(struct http_asker *asker, const struct http_take *take);
void http_take_release(struct http_asker *asker, struct http_take *take); /* NULL is accepted */

/* Wait for somebody who asks, for `msec` at most, and answer. For one thread. */
void http_asker_work(struct http_asker *asker, unsigned msec);

#endif
