/*
 * http_server - what the files of `worker http` share
 *
 * http_worker.c starts it, http_request.c looks at each request, http_pages.c answers it.
 */
#ifndef CLIENT_HTTP_HTTP_SERVER_H
#define CLIENT_HTTP_HTTP_SERVER_H

#include <microhttpd.h>
#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"
#include "client/http/http_ask.h"

struct dashboard_file;

struct http_server {
	struct http_asker *daemon, *history, *report;
	const char *token_file; /* NULL: none */
	bool is_encrypted;
};

struct http_page;

/* One request, from its header to the end of its answer. */
struct http_request {
	struct http_server *server;
	struct http_asker *asker; /* of its page */
	const struct http_page *page;
	const char *name; /* what stands in the path after the page's own, or ""; of the
			   * dashboard's files the whole path */
	struct http_waiter waiter;
};

/* Who may see it, with a token and without one. */
enum http_access {
	HTTP_FOR_ALL,	/* everybody: the probes */
	HTTP_FOR_TOKEN, /* who has the token; without one everybody */
	HTTP_FOR_OWNER, /* who has the token; without one this computer alone */
	HTTP_FOR_PAGE, /* with a token everybody: a browser asks for the token then; without one
			* this computer alone */
};

/* What a page is asked for with, and answered by. */
struct http_page {
	const char *path; /* with a '/' at its end: a name follows */
	const char *what; /* for the list of what there is */
	enum http_question question;
	enum http_access access;
	enum MHD_Result (*answer)(struct http_request *request, const struct http_take *take);
};

/* The page of a path, and the name after it; NULL: there is none. http_pages.c */
const struct http_page *http_page_find(const char *url, const char **name);
/* All of them, a line each. */
void http_pages_list(struct bm_strbuf *out);

/* For libmicrohttpd. http_request.c */
enum MHD_Result http_request_handle(void *cls, struct MHD_Connection *connection,
		const char *url, const char *method, const char *version, const char *data,
		size_t *data_size, void **context);
void http_request_completed(void *cls, struct MHD_Connection *connection, void **context,
		enum MHD_RequestTerminationCode why);

/* ---- http_reply.c ---- */

/* A type: one page that brings its own style, and no script. */
#define HTTP_HTML "text/html; charset=utf-8"

/* A short text; `extra` is one more header, NULL: none. */
enum MHD_Result http_reply_text(struct MHD_Connection *connection, unsigned status,
		const char *text, const char *extra, const char *value);

/* A body of the take, which is kept until it is sent: 304 where the client has it, gzip where
 * it takes that and it pays. */
enum MHD_Result http_reply_body(struct http_request *request, const struct http_take *take,
		struct http_body *body, const char *type);

/* The same with a body of its own, which this frees. */
enum MHD_Result http_reply_own(
		struct http_request *request, struct http_body *body, const char *type);

/* A file of the dashboard: with gzip to who takes that, which is every browser. */
enum MHD_Result http_reply_file(
		struct MHD_Connection *connection, const struct dashboard_file *file);

const char *http_header(struct MHD_Connection *connection, const char *name); /* "" none */

/* The weight of `word` in a header like Accept, 0 to 1000; `fallback` when it is not named. */
unsigned http_quality(const char *header, const char *word, unsigned fallback);

/* ---- http_token.c ---- */

/* 1 `given` is the token, 0 it is not, -1 the file cannot be read: nobody gets in. */
int http_token_check(const char *file, const char *given);

/* ---- http_listen.c ---- */

/* A socket that listens at "ADDRESS:PORT" or ":PORT"; -1 with `err`. */
int http_listen(const char *at, struct bm_error *err);

#endif
