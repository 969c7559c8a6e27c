/* The pages: one table, a function each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "client/dashboard/dashboard.h"
#include "client/http/http_library.h"
#include "client/http/http_metrics.h"
#include "client/http/http_server.h"
#include "client/http/http_status.h"
#include "client/http/http_threads.h"

#define JSON_TYPE "application/json"

/* ---- probes ---- */

static const char *text_of(const json_t *answer, const char *member)
{
	const char *text = json_string_value(json_object_get(answer, member));

	return text != NULL ? text : "";
}

static enum MHD_Result answer_probe(struct http_request *request, const struct http_take *take)
{
	bool healthy = take->answer != NULL &&
			json_is_true(json_object_get(take->answer, "healthy"));
	const char *why = take->answer != NULL ? text_of(take->answer, "why") : take->why;
	char text[1024];

	snprintf(text, sizeof(text), "%s%s%s\n",
			healthy ? "ok"
					: request->page->question == HTTP_ASK_LIVE
					? "not live"
					: "not ready",
			why[0] != '\0' && !healthy ? ": " : "", healthy ? "" : why);
	return http_reply_text(
			request->waiter.connection, healthy ? 200 : 503, text, NULL, NULL);
}

/* ---- JSON ---- */

static enum MHD_Result reply_json(struct http_request *request, unsigned status,
		const char *member, const char *text)
{
	json_t *object = json_pack("{s:s}", member, text);
	char *body = json_dumps(object, JSON_COMPACT);
	enum MHD_Result sent = http_reply_text(request->waiter.connection, status,
			body != NULL ? body : "{}", NULL, NULL);

	free(body);
	json_decref(object);
	return sent;
}

static void write_json(struct http_body *body, const json_t *page)
{
	body->text = json_dumps(page, JSON_COMPACT);
	body->length = body->text != NULL ? strlen(body->text) : 0;
	http_status_etag(page, body->etag);
}

/* The body is written once for all who share the take; libmicrohttpd's thread alone does. */
static struct http_body *body_of(const struct http_take *take, enum http_form form)
{
	return &((struct http_take *)(uintptr_t)take)->bodies[form];
}

static enum MHD_Result answer_status(struct http_request *request, const struct http_take *take)
{
	struct http_body *body = body_of(take, HTTP_FORM_JSON);

	if (take->answer == NULL) {
		return reply_json(request, 503, "error", take->why);
	}
	if (body->text == NULL) {
		write_json(body, json_object_get(take->answer, "status"));
	}
	return http_reply_body(request, take, body, JSON_TYPE);
}

static enum MHD_Result answer_migration(
		struct http_request *request, const struct http_take *take)
{
	struct http_body body = {0};
	const json_t *migration = http_status_migration(
			json_object_get(take->answer, "status"), request->name);

	if (take->answer == NULL) {
		return reply_json(request, 503, "error", take->why);
	}
	if (migration == NULL) {
		return reply_json(request, 404, "error", "there is no migration of this name");
	}
	write_json(&body, migration);
	return http_reply_own(request, &body, JSON_TYPE);
}

/* `last` is what to ask after next; `more`: at once. */
static enum MHD_Result answer_events(struct http_request *request, const struct http_take *take)
{
	struct http_body *body = body_of(take, HTTP_FORM_JSON);
	size_t count = json_array_size(take->answer);

	if (take->answer == NULL) {
		return reply_json(request, 503, "error", take->why);
	}
	if (body->text == NULL) {
		json_int_t last = count == 0
				? (json_int_t)take->wanted.after
				: json_integer_value(json_object_get(
						  json_array_get(take->answer, count - 1),
						  "id"));
		json_t *page = json_pack("{s:O, s:I, s:b}", "events", take->answer, "last",
				last, "more", count == HTTP_EVENTS_LIMIT);
		write_json(body, page);
		json_decref(page);
	}
	return http_reply_body(request, take, body, JSON_TYPE);
}

static void keep_text(struct http_body *body, const json_t *text)
{
	if (body->text == NULL) {
		body->text = bm_strdup(json_string_value(text));
		body->length = json_string_length(text);
		http_status_etag(text, body->etag);
	}
}

/* The control database writes the page. */
static enum MHD_Result answer_history(
		struct http_request *request, const struct http_take *take)
{
	struct http_body *body = body_of(take, HTTP_FORM_JSON);

	if (take->answer == NULL) {
		return reply_json(request, 503, "error", take->why);
	}
	if (!json_is_string(take->answer)) {
		return reply_json(request, 404, "error", text_of(take->answer, "error"));
	}
	keep_text(body, take->answer);
	return http_reply_body(request, take, body, JSON_TYPE);
}

/* A person reads it in a browser: the reason is a plain text. */
static enum MHD_Result answer_report(struct http_request *request, const struct http_take *take)
{
	struct http_body *body = body_of(take, HTTP_FORM_JSON);

	if (!json_is_string(take->answer)) {
		const char *why = take->answer != NULL ? text_of(take->answer, "error")
						       : take->why;
		char text[1024];
		snprintf(text, sizeof(text), "no report: %s\n", why);
		return http_reply_text(request->waiter.connection,
				take->answer != NULL ? 404 : 503, text, NULL, NULL);
	}
	keep_text(body, take->answer);
	return http_reply_body(request, take, body, HTTP_HTML);
}

/* ---- metrics ---- */

/* What is asked for by name and no less than the plain one. */
static bool wants_open_metrics(struct MHD_Connection *connection)
{
	const char *accept = http_header(connection, MHD_HTTP_HEADER_ACCEPT);
	unsigned open = http_quality(accept, "application/openmetrics-text", 0);

	return open > 0 && open >= http_quality(accept, "text/plain", 0);
}

static void write_metrics(struct http_request *request, const struct http_take *take, bool open,
		struct http_body *body)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct http_take *last = http_ask_last_status(request->asker);
	json_t *attempts = http_history_attempts();
	struct http_scrape scrape = {
			.status = last != NULL ? json_object_get(last->answer, "status") : NULL,
			.attempts = attempts,
			.is_up = take->answer != NULL,
			.taken_msec = last != NULL ? last->at_msec : take->at_msec,
			.taken_wall_msec = last != NULL ? last->at_wall_msec
							: take->at_wall_msec,
			.now_msec = bm_clock_msec(),
			.open_metrics = open,
	};

	http_metrics_write(&scrape, &text);
	json_decref(attempts);
	http_take_release(request->asker, last);
	body->length = text.length;
	body->text = bm_strbuf_detach(&text);
}

static enum MHD_Result answer_metrics(
		struct http_request *request, const struct http_take *take)
{
	bool open = wants_open_metrics(request->waiter.connection);
	struct http_body *body = body_of(
			take, open ? HTTP_FORM_OPENMETRICS : HTTP_FORM_PROMETHEUS);

	if (body->text == NULL) {
		write_metrics(request, take, open, body);
	}
	return http_reply_body(request, take, body,
			open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			     : "text/plain; version=0.0.4; charset=utf-8");
}

/* ---- the dashboard ---- */

static enum MHD_Result answer_file(struct http_request *request, const struct http_take *take)
{
	(void)take;
	return http_reply_file(request->waiter.connection, dashboard_find(request->name));
}

/* ---- the table ---- */

static const struct http_page pages[] = {
		{"/", "the dashboard, for a browser", HTTP_ASK_NOTHING, HTTP_FOR_PAGE,
				answer_file},
		{"/livez", "the daemon answers", HTTP_ASK_LIVE, HTTP_FOR_ALL, answer_probe},
		{"/readyz", "all is well, or why not", HTTP_ASK_READY, HTTP_FOR_ALL,
				answer_probe},
		{"/metrics", "for Prometheus", HTTP_ASK_BRIEF, HTTP_FOR_TOKEN, answer_metrics},
		{"/api/v1/status", "what `status --json` prints", HTTP_ASK_STATUS,
				HTTP_FOR_OWNER, answer_status},
		{"/api/v1/events", "?after=ID: what happened since", HTTP_ASK_EVENTS,
				HTTP_FOR_OWNER, answer_events},
		{"/api/v1/migrations/", "NAME: one migration of the status", HTTP_ASK_STATUS,
				HTTP_FOR_OWNER, answer_migration},
		{"/api/v1/history", "?migration=NAME&from=EPOCH&to=EPOCH: how it was",
				HTTP_ASK_HISTORY, HTTP_FOR_OWNER, answer_history},
		{"/report/", "NAME: the proof of one migration, to read or to print",
				HTTP_ASK_REPORT, HTTP_FOR_OWNER, answer_report},
};

const struct http_page *http_page_find(const char *url, const char **name)
{
	*name = url;
	if (dashboard_find(url) != NULL) {
		return &pages[0];
	}
	*name = "";
	for (size_t i = 1; i < BM_COUNT_OF(pages); i++) {
		size_t length = strlen(pages[i].path);
		bool has_name = pages[i].path[length - 1] == '/';
		if (strncmp(url, pages[i].path, length) == 0 &&
				has_name == (url[length] != '\0') &&
				strchr(url + length, '/') == NULL) {
			*name = url + length;
			return &pages[i];
		}
	}
	return NULL;
}

void http_pages_list(struct bm_strbuf *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(pages); i++) {
		bm_strbuf_printf(out, "%-24s%s\n", pages[i].path, pages[i].what);
	}
}
