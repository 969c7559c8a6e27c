/*
 * POST by libcurl, which is loaded by hand: it brings some 30 libraries that neither PID 1 nor
 * `health` shall wait for (client/http/http_library.h has the same reason).
 *
 * No redirect is followed: the token is for the host that machine.yaml names. Of the answer
 * the status counts alone, and it is read no further than ANSWER_BYTES.
 */
#include "client/notify/notify_worker.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config/checks.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "client/cli/command.h"
#include "client/notify/notify_receivers.h"

#define LIBCURL "libcurl.so.4"
#define ANSWER_BYTES ((size_t)64 * 1024)
#define SECRET_BYTES ((size_t)8 * 1024)
#define CONNECT_MSEC 10000

static struct {
	__typeof__(curl_easy_init) *init;
	__typeof__(curl_easy_setopt) *setopt;
	__typeof__(curl_easy_perform) *perform;
	__typeof__(curl_easy_getinfo) *getinfo;
	__typeof__(curl_easy_strerror) *strerror;
	__typeof__(curl_easy_cleanup) *cleanup;
	__typeof__(curl_slist_append) *append;
	__typeof__(curl_slist_free_all) *free_all;
} curl;

/* What is sent, and where. */
struct request {
	struct bm_strbuf url, token; /* secrets */
	struct curl_slist *headers;
	size_t answer_bytes;
};

static int load(struct bm_error *err)
{
	static const struct {
		const char *name;
		void *place;
	} functions[] = {{"curl_easy_init", &curl.init}, {"curl_easy_setopt", &curl.setopt},
			{"curl_easy_perform", &curl.perform},
			{"curl_easy_getinfo", &curl.getinfo},
			{"curl_easy_strerror", &curl.strerror},
			{"curl_easy_cleanup", &curl.cleanup},
			{"curl_slist_append", &curl.append},
			{"curl_slist_free_all", &curl.free_all}};
	void *library = dlopen(LIBCURL, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; i < BM_COUNT_OF(functions); i++) {
		void *found = library != NULL ? dlsym(library, functions[i].name) : NULL;
		if (found == NULL) {
			return bm_error_set(err, BM_ERR_CONFIG,
					"cannot load " LIBCURL ": %s. The package libcurl4 "
					"(libcurl4t64 in Debian 13) has it",
					dlerror());
		}
		memcpy(functions[i].place, &found, sizeof(found));
	}
	return 0;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* The file's only line. */
static int read_secret(
		const char *what, const char *file, struct bm_strbuf *out, struct bm_error *err)
{
	if (bm_file_load(file, SECRET_BYTES, out, err) != 0) {
		return bm_error_wrap(err, "%s", what);
	}
	while (out->length > 0 && strchr("\r\n \t", out->text[out->length - 1]) != NULL) {
		out->text[--out->length] = '\0';
	}
	for (size_t i = 0; i < out->length; i++) {
		if ((unsigned char)out->text[i] < ' ' || out->text[i] == 0x7f) {
			return bm_error_set(err, BM_ERR_CONFIG,
					"%s '%s' has more than one line, or characters that "
					"cannot be sent",
					what, file);
		}
	}
	return out->length > 0
			? 0
			: bm_error_set(err, BM_ERR_CONFIG, "%s '%s' is empty", what, file);
}

static int read_url(const json_t *receiver, struct bm_strbuf *url, struct bm_error *err)
{
	const char *file = text_of(receiver, "url_file"), *given = text_of(receiver, "url");

	if (file == NULL) {
		bm_strbuf_puts(url, given != NULL ? given : "");
		return 0;
	}
	if (read_secret("url_file", file, url, err) != 0) {
		return -1;
	}
	const char *wrong = bm_check_url("url_file", bm_strbuf_text(url));
	return wrong == NULL ? 0
			     : bm_error_set(err, BM_ERR_CONFIG,
					       "what is in url_file '%s' is %s", file, wrong);
}

static int add_headers(const json_t *receiver, struct request *request, struct bm_error *err)
{
	const char *file = text_of(receiver, "token_file");

	request->headers = curl.append(NULL, "Content-Type: application/json");
	request->headers = curl.append(request->headers, "Expect:");
	if (file == NULL) {
		return 0;
	}
	if (read_secret("token_file", file, &request->token, err) != 0) {
		return -1;
	}
	char *line = bm_format("Authorization: Bearer %s", bm_strbuf_text(&request->token));
	request->headers = curl.append(request->headers, line);
	explicit_bzero(line, strlen(line));
	free(line);
	return 0;
}

/* Not taken as a whole: libcurl ends the transfer. Its type is libcurl's. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t take_answer(char *data, size_t size, size_t count, void *ctx)
{
	struct request *request = ctx;

	(void)data;
	request->answer_bytes += size * count;
	return request->answer_bytes <= ANSWER_BYTES ? size * count : 0;
}

static void set_options(CURL *handle, const json_t *receiver, const char *message,
		struct request *request)
{
	const char *authorities = text_of(receiver, "ca_file");
	long limit = (long)json_integer_value(json_object_get(receiver, "timeout_msec"));

	curl.setopt(handle, CURLOPT_URL, bm_strbuf_text(&request->url));
	curl.setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl.setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
	curl.setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
	curl.setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl.setopt(handle, CURLOPT_TIMEOUT_MS, limit);
	curl.setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
			limit < CONNECT_MSEC ? limit : (long)CONNECT_MSEC);
	curl.setopt(handle, CURLOPT_USERAGENT, "bucardo-machine/" BM_VERSION);
	curl.setopt(handle, CURLOPT_HTTPHEADER, request->headers);
	curl.setopt(handle, CURLOPT_POSTFIELDS, message);
	curl.setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(message));
	curl.setopt(handle, CURLOPT_WRITEFUNCTION, take_answer);
	curl.setopt(handle, CURLOPT_WRITEDATA, request);
	if (authorities != NULL) {
		curl.setopt(handle, CURLOPT_CAINFO, authorities);
	}
}

/* It has said all that counts when it has said more than we read. */
static int evaluate(CURL *handle, CURLcode code, const struct request *request,
		struct bm_error *err)
{
	long status = 0;

	curl.getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK &&
			!(code == CURLE_WRITE_ERROR && request->answer_bytes > ANSWER_BYTES)) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "%s", curl.strerror(code));
	}
	if (status >= 300 && status < 400) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"it answered %ld, and a redirect is not followed: the token is for "
				"the address in machine.yaml alone; write the new one there",
				status);
	}
	if (status < 200 || status >= 300) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "it answered %ld", status);
	}
	return 0;
}

static int send_it(const json_t *receiver, const char *message, struct request *request,
		struct bm_error *err)
{
	if (load(err) != 0 || read_url(receiver, &request->url, err) != 0 ||
			add_headers(receiver, request, err) != 0) {
		return -1;
	}
	CURL *handle = curl.init();
	if (handle == NULL) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "libcurl cannot begin");
	}
	set_options(handle, receiver, message, request);
	int rc = evaluate(handle, curl.perform(handle), request, err);
	curl.cleanup(handle);
	return rc;
}

static int post(const char *receiver, const char *message, struct bm_error *err)
{
	json_t *definition = json_loads(receiver, 0, NULL);
	struct request request = {.url = BM_STRBUF_INIT, .token = BM_STRBUF_INIT};
	int rc = send_it(definition, message, &request, err);

	if (request.headers != NULL) {
		curl.free_all(request.headers);
	}
	bm_strbuf_finish(&request.url);
	bm_strbuf_finish(&request.token);
	json_decref(definition);
	return rc;
}

int notify_post(void)
{
	const char *receiver = getenv(NOTIFY_RECEIVER), *message = getenv(NOTIFY_MESSAGE);
	struct bm_error err = BM_ERROR_INIT;

	if (receiver == NULL || message == NULL) {
		fprintf(stderr, "worker notify post is started by `worker notify`\n");
		return CLI_USAGE;
	}
	if (post(receiver, message, &err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		return CLI_FAILED;
	}
	return CLI_OK;
}
