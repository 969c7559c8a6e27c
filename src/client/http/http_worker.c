/*
 * `worker http`: probes, metrics and the status over HTTP.
 *
 * A client of the control socket like any other, in a process of its own: what a browser or a
 * scanner sends is parsed here, by libmicrohttpd, and can neither reach nor slow the daemon.
 * Four threads: libmicrohttpd's, which never waits for anything; the main one, which asks
 * the daemon (http_ask.h); and two that may wait for a database (http_threads.h). Killing it
 * costs the connections there are, and a row of the history.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/strbuf.h"
#include "client/cli/command.h"
#include "client/http/http_connections.h"
#include "client/http/http_daemon.h"
#include "client/http/http_library.h"
#include "client/http/http_metrics.h"
#include "client/http/http_server.h"
#include "client/http/http_threads.h"
#include "client/verify/verify_sides.h"

/* Of a connection: its request line and headers, and what is written of an answer at once. */
#define MEMORY_BYTES ((size_t)12 * 1024)
/* libmicrohttpd's own limit; http_connections.c cuts those that cheat it. */
#define IDLE_SEC 10
#define STACK_BYTES ((size_t)256 * 1024)
#define SWEEP_MSEC 1000
#define PEM_LIMIT_BYTES ((size_t)256 * 1024)
#define DESCRIPTORS 1024

struct setup {
	const char *at, *runtime, *socket_dir, *token_file, *certificate_file,
			*key_file; /* NULL: none */
	struct bm_strbuf certificate, key;
	struct timespec changed[2]; /* of the two files */
};

/* A client's mistakes are the client's: they would fill the log. */
static void ignore_message(void *cls, const char *format, va_list arguments)
{
	(void)cls, (void)format, (void)arguments;
}

static int fail(const struct bm_error *err)
{
	fprintf(stderr, "bucardo-machine: worker http: %s\n", err->message);
	return CLI_FAILED;
}

/* ---- TLS ---- */

static struct timespec change_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_mtim : (struct timespec){0};
}

static bool has_tls(const struct setup *setup)
{
	return setup->certificate_file != NULL && setup->key_file != NULL;
}

static int load_pem(struct setup *setup, struct bm_error *err)
{
	if (!has_tls(setup)) {
		return 0;
	}
	setup->changed[0] = change_of(setup->certificate_file);
	setup->changed[1] = change_of(setup->key_file);
	if (bm_file_load(setup->certificate_file, PEM_LIMIT_BYTES, &setup->certificate, err) !=
					0 ||
			bm_file_load(setup->key_file, PEM_LIMIT_BYTES, &setup->key, err) != 0) {
		return bm_error_wrap(err, "http.tls");
	}
	return 0;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A renewed one is there, whole: both files are. */
static bool is_renewed(const struct setup *setup)
{
	if (!has_tls(setup)) {
		return false;
	}
	struct timespec certificate = change_of(setup->certificate_file);
	struct timespec key = change_of(setup->key_file);
	return certificate.tv_sec != 0 && key.tv_sec != 0 &&
			!(is_same_time(certificate, setup->changed[0]) &&
					is_same_time(key, setup->changed[1]));
}

/* ---- libmicrohttpd ---- */

static struct MHD_Daemon *start(int fd, const struct setup *setup, struct http_server *server)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
			{MHD_OPTION_HTTPS_MEM_CERT, 0,
					(void *)(uintptr_t)bm_strbuf_text(&setup->certificate)},
			{MHD_OPTION_HTTPS_MEM_KEY, 0,
					(void *)(uintptr_t)bm_strbuf_text(&setup->key)},
			{MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem options[] = {
			{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)ignore_message, NULL},
			{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
			{MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_HARD, NULL},
			{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)MEMORY_BYTES, NULL},
			{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SEC, NULL},
			{MHD_OPTION_THREAD_STACK_SIZE, (intptr_t)STACK_BYTES, NULL},
			{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
			{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_connection_notify, NULL},
			{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_request_completed, NULL},
			{server->is_encrypted ? MHD_OPTION_ARRAY : MHD_OPTION_END, 0, tls},
			{MHD_OPTION_END, 0, NULL}};

	flags |= server->is_encrypted ? MHD_USE_TLS : 0;
	return http_library.start_daemon(flags, 0, NULL, NULL, http_request_handle, server,
			MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
		limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Until a signal ends it, or a renewed certificate wants another start. */
static int serve(struct setup *setup, struct http_server *server)
{
	uint64_t swept = 0;

	while (true) {
		http_asker_work(server->daemon, SWEEP_MSEC);
		uint64_t now = bm_clock_msec();
		if (now - swept < SWEEP_MSEC) {
			continue;
		}
		swept = now;
		http_connections_sweep();
		if (is_renewed(setup)) {
			fprintf(stderr, "the certificate was renewed: starting anew\n");
			return CLI_OK;
		}
	}
}

static int run(struct setup *setup)
{
	/* Its threads go on until the process has ended. */
	static struct http_server server;
	struct bm_error err = BM_ERROR_INIT;

	server = (struct http_server){
			.token_file = setup->token_file, .is_encrypted = has_tls(setup)};

	raise_descriptors();
	if (http_library_load(&err) != 0 || load_pem(setup, &err) != 0) {
		return fail(&err);
	}
	int fd = http_listen(setup->at, &err);
	if (fd < 0) {
		return fail(&err);
	}
	server.daemon = http_asker_create(http_daemon_talk, (void *)(uintptr_t)setup->runtime);
	cli_verify_use_passfile(setup->runtime);
	server.history = http_history_start(setup->runtime, setup->socket_dir, &err);
	server.report = http_report_start(setup->runtime, &err);
	if (server.history == NULL || server.report == NULL) {
		return fail(&err);
	}
	if (start(fd, setup, &server) == NULL) {
		bm_error_set(&err, BM_ERR_CONFIG,
				server.is_encrypted
						? "cannot begin: is http.tls.certificate a certificate in PEM, "
						  "and http.tls.key its key?"
						: "libmicrohttpd cannot begin");
		return fail(&err);
	}
	if (setup->key.length > 0) {
		explicit_bzero(setup->key.text, setup->key.length);
	}
	return serve(setup, &server);
}

static const char *or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* AT RUNTIME SOCKETS TOKEN_FILE CERTIFICATE KEY, "" for none: the daemon types it
 * (http_unit.c). */
int cli_worker_http(const struct cli_call *call)
{
	if (call->word_count == 2 && strcmp(call->words[1], "metrics") == 0) {
		struct bm_strbuf text = BM_STRBUF_INIT;
		http_metrics_reference(&text);
		fputs(bm_strbuf_text(&text), stdout);
		bm_strbuf_finish(&text);
		return CLI_OK;
	}
	if (call->word_count != 7) {
		fprintf(stderr, "bucardo-machine: worker http is started by the machine itself\n");
		return CLI_USAGE;
	}
	struct setup setup = {.at = call->words[1],
			.runtime = call->words[2],
			.socket_dir = call->words[3],
			.token_file = or_null(call->words[4]),
			.certificate_file = or_null(call->words[5]),
			.key_file = or_null(call->words[6])};
	bm_log_open(STDERR_FILENO, BM_LOG_TEXT, true);
	return run(&setup);
}
