/* Answers: headers, ETag, gzip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "client/dashboard/dashboard.h"
#include "client/http/http_library.h"
#include "client/http/http_server.h"

/* Below this a packet is a packet. */
#define GZIP_LEAST_BYTES 1400
#define GZIP_LEVEL 3
#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for gzip */
#define GZIP_MEMORY 8

/* No page of ours has a frame or a cookie; nobody shall keep or embed it. */
static const char *const headers[][2] = {
		{"Cache-Control", "no-cache, private"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
};

/* All but the dashboard load nothing. */
static const char bare_policy[] = "default-src 'none'; frame-ancestors 'none'";
/* The proof brings its own style. */
static const char report_policy[] =
		"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/* ---- what a client says ---- */

const char *http_header(struct MHD_Connection *connection, const char *name)
{
	const char *value = http_library.lookup_connection_value(
			connection, MHD_HEADER_KIND, name);

	return value != NULL ? value : "";
}

/* "0.5" as 500, of an entry's parameters; 1000 without one. */
static unsigned weight(const char *parameters, size_t length)
{
	const char *q = memmem(parameters, length, "q=", 2);
	double value = q != NULL ? strtod(q + 2, NULL) : 1;

	return value >= 1 ? 1000 : value > 0 ? (unsigned)(value * 1000) : 0;
}

unsigned http_quality(const char *header, const char *word, unsigned fallback)
{
	size_t word_length = strlen(word);

	while (*header != '\0') {
		header += strspn(header, " \t,");
		size_t length = strcspn(header, ",");
		size_t name = strcspn(header, " \t,;");
		if (name == word_length && strncasecmp(header, word, name) == 0) {
			return weight(header + name, length - name);
		}
		header += length;
	}
	return fallback;
}

/* Weakly, as RFC 9110 asks for: W/ says nothing here. */
static bool has_it(struct MHD_Connection *connection, const char *etag)
{
	const char *known = http_header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
	const char *opaque = strchr(etag, '"');

	return opaque != NULL && (strcmp(known, "*") == 0 || strstr(known, opaque) != NULL);
}

/* ---- gzip ---- */

/* Kept with the body; a body that does not get smaller stays as it is. */
static void compress_body(struct http_body *body)
{
	z_stream stream = {0};

	if (body->gzip != NULL || http_library.deflate_init == NULL ||
			http_library.deflate_init(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW,
					GZIP_MEMORY, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
					(int)sizeof(stream)) != Z_OK) {
		return;
	}
	char *room = bm_alloc(body->length);
	stream.next_in = (unsigned char *)body->text;
	stream.avail_in = (unsigned)body->length;
	stream.next_out = (unsigned char *)room;
	stream.avail_out = (unsigned)body->length;
	if (http_library.deflate(&stream, Z_FINISH) == Z_STREAM_END) {
		body->gzip = room;
		body->gzip_length = body->length - stream.avail_out;
	} else {
		free(room);
	}
	http_library.deflate_end(&stream);
}

static bool wants_gzip(struct MHD_Connection *connection, const struct http_body *body)
{
	return body->length >= GZIP_LEAST_BYTES &&
			http_quality(http_header(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING),
					"gzip", 0) > 0;
}

/* ---- sending ---- */

/* Gives the response away. */
static enum MHD_Result send_it(struct MHD_Connection *connection, unsigned status,
		struct MHD_Response *response, const char *type, const char *policy)
{
	if (response == NULL) {
		return MHD_NO;
	}
	for (size_t i = 0; i < BM_COUNT_OF(headers); i++) {
		http_library.add_response_header(response, headers[i][0], headers[i][1]);
	}
	http_library.add_response_header(response, "Content-Security-Policy", policy);
	if (type != NULL) {
		http_library.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	}
	enum MHD_Result sent = http_library.queue_response(connection, status, response);
	http_library.destroy_response(response);
	return sent;
}

enum MHD_Result http_reply_text(struct MHD_Connection *connection, unsigned status,
		const char *text, const char *extra, const char *value)
{
	struct MHD_Response *response = http_library.create_response_from_buffer(
			strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (response != NULL && extra != NULL) {
		http_library.add_response_header(response, extra, value);
	}
	return send_it(connection, status, response, "text/plain; charset=utf-8", bare_policy);
}

/* Keeps a take while its body is being sent: clients that read slowly share one. */
struct lent {
	struct http_asker *asker;
	struct http_take *take;
};

static void give_back(void *cls)
{
	struct lent *lent = cls;

	http_take_release(lent->asker, lent->take);
	free(lent);
}

static enum MHD_Result send_body(struct http_request *request, struct http_body *body,
		const char *type,
		struct MHD_Response *(*make)(void *cls, const char *data, size_t size),
		void *cls)
{
	struct MHD_Connection *connection = request->waiter.connection;
	bool has = body->etag[0] != '\0' && has_it(connection, body->etag);
	bool gzip = !has && wants_gzip(connection, body);

	if (gzip) {
		compress_body(body);
		gzip = body->gzip != NULL;
	}
	struct MHD_Response *response = has ? make(cls, "", 0)
			: gzip		    ? make(cls, body->gzip, body->gzip_length)
					    : make(cls, body->text, body->length);
	if (response == NULL) {
		return MHD_NO;
	}
	if (body->etag[0] != '\0') {
		http_library.add_response_header(response, MHD_HTTP_HEADER_ETAG, body->etag);
	}
	if (gzip) {
		http_library.add_response_header(
				response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	}
	http_library.add_response_header(response, MHD_HTTP_HEADER_VARY,
			"Accept, Accept-Encoding, Authorization");
	return send_it(connection, has ? 304 : 200, response, has ? NULL : type,
			strcmp(type, HTTP_HTML) == 0 ? report_policy : bare_policy);
}

static struct MHD_Response *lend(void *cls, const char *data, size_t size)
{
	return http_library.create_response_from_buffer_with_free_callback_cls(
			size, (void *)(uintptr_t)data, give_back, cls);
}

enum MHD_Result http_reply_body(struct http_request *request, const struct http_take *take,
		struct http_body *body, const char *type)
{
	struct lent *lent = bm_alloc(sizeof(*lent));

	*lent = (struct lent){
			.asker = request->asker, .take = http_take_share(request->asker, take)};
	return send_body(request, body, type, lend, lent);
}

static struct MHD_Response *copy(void *cls, const char *data, size_t size)
{
	(void)cls;
	return http_library.create_response_from_buffer(
			size, (void *)(uintptr_t)data, MHD_RESPMEM_MUST_COPY);
}

enum MHD_Result http_reply_own(
		struct http_request *request, struct http_body *body, const char *type)
{
	enum MHD_Result sent = send_body(request, body, type, copy, NULL);

	free(body->text);
	free(body->gzip);
	return sent;
}

enum MHD_Result http_reply_file(
		struct MHD_Connection *connection, const struct dashboard_file *file)
{
	const char *takes = http_header(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	bool has = has_it(connection, file->etag);

	if (!has && http_quality(takes, "gzip", 0) == 0 && http_quality(takes, "*", 0) == 0) {
		return http_reply_text(connection, 406,
				"this page is for a browser, and is sent with gzip alone (curl "
				"--compressed)\n",
				MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	}
	struct MHD_Response *response = http_library.create_response_from_buffer(
			has ? 0 : file->length, (void *)(uintptr_t)file->gzip,
			MHD_RESPMEM_PERSISTENT);
	if (response == NULL) {
		return MHD_NO;
	}
	http_library.add_response_header(response, MHD_HTTP_HEADER_ETAG, file->etag);
	http_library.add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	if (!has) {
		http_library.add_response_header(
				response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	}
	return send_it(connection, has ? 304 : 200, response, has ? NULL : file->type,
			dashboard_policy);
}
