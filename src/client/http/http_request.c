/* A request from its header to its answer: what is refused, and who may see what. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "client/http/http_connections.h"
#include "client/http/http_library.h"
#include "client/http/http_server.h"

/* The end of the year 9999. */
#define LAST_SEC INT64_C(253402300799)

/* Those that mean something here: which of two would count is a guess, and guesses are how
 * requests are smuggled past a proxy. */
static const char *const single_headers[] = {"Host", "Content-Length", "Transfer-Encoding",
		"Authorization", "Accept", "Accept-Encoding", "If-None-Match", "Connection",
		"Expect"};

struct headers {
	unsigned seen[BM_COUNT_OF(single_headers)];
	bool is_double, has_body;
};

static enum MHD_Result look_at_header(
		void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct headers *headers = cls;

	(void)kind;
	for (size_t i = 0; i < BM_COUNT_OF(single_headers); i++) {
		if (strcasecmp(name, single_headers[i]) == 0) {
			headers->is_double = headers->is_double || headers->seen[i]++ > 0;
		}
	}
	if (strcasecmp(name, "Transfer-Encoding") == 0 ||
			(strcasecmp(name, "Content-Length") == 0 &&
					(value == NULL || strcmp(value, "0") != 0))) {
		headers->has_body = true;
	}
	return MHD_YES;
}

/* ---- who it is ---- */

/* This computer: `kubectl port-forward`, `kubectl exec`, a person's ssh tunnel. */
static bool is_local(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = http_library.get_connection_info(
			connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	static const struct in6_addr v4 = {
			.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

	if (info == NULL || info->client_addr == NULL) {
		return false;
	}
	if (info->client_addr->sa_family == AF_INET) {
		return ((struct sockaddr_in *)(void *)info->client_addr)->sin_addr.s_addr ==
				htonl(INADDR_LOOPBACK);
	}
	const struct in6_addr *v6 =
			&((struct sockaddr_in6 *)(void *)info->client_addr)->sin6_addr;
	return info->client_addr->sa_family == AF_INET6 &&
			(IN6_IS_ADDR_LOOPBACK(v6) || memcmp(v6, &v4, sizeof(v4)) == 0);
}

/* A name of somebody else's that was made to lead here would let their page read ours in a
 * browser (DNS rebinding). */
static bool is_local_name(const char *host)
{
	static const char *const names[] = {"", "localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < BM_COUNT_OF(names); i++) {
		size_t length = strlen(names[i]);
		if (strncasecmp(host, names[i], length) == 0 &&
				(host[length] == '\0' || (length > 0 && host[length] == ':'))) {
			return true;
		}
	}
	return false;
}

static const char *bearer(struct MHD_Connection *connection)
{
	const char *value = http_header(connection, MHD_HTTP_HEADER_AUTHORIZATION);

	return strncasecmp(value, "Bearer ", 7) == 0 ? value + 7 : "";
}

/* ---- refusals ---- */

struct refusal {
	unsigned status; /* 0: none */
	const char *text, *header, *value;
};

static struct refusal check_token(
		const struct http_server *server, struct MHD_Connection *connection)
{
	switch (http_token_check(server->token_file, bearer(connection))) {
	case 1:
		return (struct refusal){0};
	case 0:
		return (struct refusal){401,
				"the token of http.token_file is needed: Authorization: Bearer TOKEN\n",
				"WWW-Authenticate", "Bearer realm=\"bucardo-machine\""};
	default:
		return (struct refusal){503,
				"the file of the token cannot be read; the machine's log says more\n",
				NULL, NULL};
	}
}

static struct refusal check_access(const struct http_server *server,
		struct MHD_Connection *connection, const struct http_page *page)
{
	bool by_token = server->token_file != NULL;

	if (page->access == HTTP_FOR_ALL || (page->access == HTTP_FOR_PAGE && by_token)) {
		return (struct refusal){0};
	}
	if (by_token) {
		return check_token(server, connection);
	}
	if (page->access != HTTP_FOR_TOKEN &&
			!(is_local(connection) &&
					is_local_name(http_header(
							connection, MHD_HTTP_HEADER_HOST)))) {
		return (struct refusal){403,
				"without http.token_file in machine.yaml this is for this computer "
				"alone, by the name localhost: kubectl port-forward\n",
				NULL, NULL};
	}
	return (struct refusal){0};
}

static struct refusal check(const struct http_server *server, struct MHD_Connection *connection,
		const char *method, const struct http_page *page)
{
	struct headers headers = {{0}, false, false};

	http_library.get_connection_values(
			connection, MHD_HEADER_KIND, look_at_header, &headers);
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		return (struct refusal){405, "only GET and HEAD\n", "Allow", "GET, HEAD"};
	}
	if (headers.is_double) {
		return (struct refusal){
				400, "a header that counts stands there twice\n", NULL, NULL};
	}
	if (headers.has_body) {
		return (struct refusal){
				413, "a body is of no use here\n", "Connection", "close"};
	}
	return page != NULL ? check_access(server, connection, page) : (struct refusal){0};
}

static enum MHD_Result not_found(struct MHD_Connection *connection)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_puts(&text, "there is no such page; there are:\n");
	http_pages_list(&text);
	enum MHD_Result sent = http_reply_text(
			connection, 404, bm_strbuf_text(&text), NULL, NULL);
	bm_strbuf_finish(&text);
	return sent;
}

/* ---- one request ---- */

static struct http_asker *asker_of(
		const struct http_server *server, enum http_question question)
{
	return question == HTTP_ASK_HISTORY	      ? server->history
			: question == HTTP_ASK_REPORT ? server->report
						      : server->daemon;
}

static struct http_request *begin(
		struct http_server *server, struct MHD_Connection *connection, const char *url)
{
	struct http_request *request = bm_alloc(sizeof(*request));

	request->server = server;
	request->asker = server->daemon;
	request->page = http_page_find(url, &request->name);
	request->waiter.connection = connection;
	if (request->page != NULL) {
		request->waiter.wanted.question = request->page->question;
		request->asker = asker_of(server, request->page->question);
	}
	http_connection_turn(connection, true);
	return request;
}

/* A whole number of the query into `out`, which stays as it is without one. */
static bool take_number(struct http_request *request, const char *name, int64_t *out)
{
	const char *text = http_library.lookup_connection_value(
			request->waiter.connection, MHD_GET_ARGUMENT_KIND, name);
	char *end;

	if (text == NULL) {
		return true;
	}
	if (text[0] < '0' || text[0] > '9' || strlen(text) > 18) {
		return false;
	}
	*out = strtoll(text, &end, 10);
	return *end == '\0';
}

static bool take_range(struct http_request *request)
{
	struct http_wanted *wanted = &request->waiter.wanted;
	const char *name = http_library.lookup_connection_value(
			request->waiter.connection, MHD_GET_ARGUMENT_KIND, "migration");

	if (name != NULL) {
		if (strlen(name) >= sizeof(wanted->name)) {
			return false;
		}
		bm_text_copy(wanted->name, sizeof(wanted->name), name);
	}
	return take_number(request, "from", &wanted->from) &&
			take_number(request, "to", &wanted->to) && wanted->from <= LAST_SEC &&
			wanted->to <= LAST_SEC &&
			(wanted->from == 0 || wanted->to == 0 || wanted->from < wanted->to);
}

/* What its page is asked for with; else the text of the refusal. */
static const char *take_query(struct http_request *request)
{
	int64_t after = 0;

	switch (request->page->question) {
	case HTTP_ASK_EVENTS:
		if (!take_number(request, "after", &after)) {
			return "after: the id of an event, a whole number\n";
		}
		request->waiter.wanted.after = (uint64_t)after;
		return NULL;
	case HTTP_ASK_HISTORY:
		return take_range(request)
				? NULL
				: "migration: a name; from, to: seconds since the epoch, whole "
				  "numbers, from before to\n";
	case HTTP_ASK_REPORT:
		if (strlen(request->name) >= sizeof(request->waiter.wanted.name)) {
			return "there is no migration with so long a name\n";
		}
		bm_text_copy(request->waiter.wanted.name, sizeof(request->waiter.wanted.name),
				request->name);
		return NULL;
	default:
		return NULL;
	}
}

static enum MHD_Result answer(struct http_request *request)
{
	struct http_take *take = request->waiter.take;

	if (request->page->question == HTTP_ASK_NOTHING) {
		return request->page->answer(request, NULL);
	}
	if (take == NULL) {
		take = http_ask(request->asker, &request->waiter);
	}
	if (take == NULL) {
		return MHD_YES; /* suspended: it is called again */
	}
	request->waiter.take = take;
	return request->page->answer(request, take);
}

enum MHD_Result http_request_handle(void *cls, struct MHD_Connection *connection,
		const char *url, const char *method, const char *version, const char *data,
		size_t *data_size, void **context)
{
	struct http_request *request = *context;

	(void)version, (void)data;
	if (request != NULL) {
		*data_size = 0;
		return answer(request);
	}
	*context = request = begin(cls, connection, url);
	struct refusal refusal = check(cls, connection, method, request->page);
	if (refusal.status != 0) {
		return http_reply_text(connection, refusal.status, refusal.text, refusal.header,
				refusal.value);
	}
	if (request->page == NULL) {
		return not_found(connection);
	}
	const char *wrong = take_query(request);
	if (wrong != NULL) {
		return http_reply_text(connection, 400, wrong, NULL, NULL);
	}
	return MHD_YES;
}

void http_request_completed(void *cls, struct MHD_Connection *connection, void **context,
		enum MHD_RequestTerminationCode why)
{
	struct http_request *request = *context;

	(void)cls, (void)why;
	http_connection_turn(connection, false);
	if (request != NULL) {
		http_take_release(request->asker, request->waiter.take);
		free(request);
		*context = NULL;
	}
}
