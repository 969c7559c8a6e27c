/* The client of the control socket: blocking calls, each with a limit. */
#include "client/commands/control_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/folder.h"

/* The longest answer that is believed: a status of some ten thousand syncs. */
#define ANSWER_LIMIT_BYTES ((size_t)64 * 1024 * 1024)

static void set_timeout(int fd, unsigned msec)
{
	struct timeval limit = {.tv_sec = msec / 1000, .tv_usec = (msec % 1000) * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* connect(2) too */
}

/* Why nobody could be reached, and what a person does about it. */
static int explain_connect(const struct cli_client *client, struct bm_error *err)
{
	char span[BM_CLOCK_TEXT_SIZE];

	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"no machine is running here: there is no socket '%s'. Start one with "
				"`bucardo-machine run`, or say where its runtime folder is with "
				"--runtime DIR or BUCARDO_MACHINE_RUNTIME",
				client->path);
	case ECONNREFUSED:
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the machine is gone: nobody listens on '%s', it is a leftover. Start "
				"the machine again (`bucardo-machine run`; in Kubernetes the pod does), "
				"and look at the end of its log for why it ended",
				client->path);
	case EACCES:
	case EPERM:
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"user %u may not reach the machine at '%s': become the machine's "
				"user or root; if you are that user, the folder is not yours: see "
				"the machine's log",
				(unsigned)geteuid(), client->path);
	case EAGAIN:
		return bm_error_set(err, BM_ERR_TIMEOUT,
				"the machine at '%s' took no connection within %s: it is stuck or "
				"overloaded; look at its log",
				client->path, bm_clock_format_span(client->timeout_msec, span));
	default:
		return bm_error_set(err, BM_ERR_IO, "cannot connect to the machine at '%s': %m",
				client->path);
	}
}

/* A path that is too long for a socket is reached by the folder's other name, which ends with
 * the descriptor that is returned; else -1. */
static int fill_address(const char *runtime, const char *path, struct sockaddr_un *address)
{
	char name[BM_FOLDER_NAME_SIZE];
	int folder = -1;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path) &&
			bm_folder_open(runtime, &folder, name, NULL) == 0) {
		snprintf(address->sun_path, sizeof(address->sun_path), "%s/control.sock", name);
	} else {
		memcpy(address->sun_path, path, strnlen(path, sizeof(address->sun_path) - 1));
	}
	return folder;
}

int cli_client_open(struct cli_client *client, const char *runtime, unsigned timeout_msec,
		struct bm_error *err)
{
	struct sockaddr_un address;

	*client = (struct cli_client){.fd = -1, .timeout_msec = timeout_msec};
	int length = snprintf(client->path, sizeof(client->path), "%s/control.sock", runtime);
	if (length < 0 || (size_t)length >= sizeof(client->path)) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"the runtime folder '%s' is too long a path: with /control.sock it "
				"may have %zu bytes",
				runtime, sizeof(client->path) - 1);
	}
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot create a socket: %m");
	}
	set_timeout(client->fd, timeout_msec);
	int folder = fill_address(runtime, client->path, &address);
	int rc = connect(client->fd, (struct sockaddr *)&address, sizeof(address));
	if (folder >= 0) {
		int reason = errno;
		close(folder);
		errno = reason;
	}
	if (rc != 0) {
		explain_connect(client, err);
		cli_client_close(client);
		return -1;
	}
	return 0;
}

void cli_client_close(struct cli_client *client)
{
	if (client->fd >= 0) {
		close(client->fd);
	}
	client->fd = -1;
	bm_strbuf_finish(&client->input);
}

static int explain_silence(const struct cli_client *client, struct bm_error *err)
{
	if (errno == EAGAIN) {
		char span[BM_CLOCK_TEXT_SIZE];
		return bm_error_set(err, BM_ERR_TIMEOUT,
				"the machine at '%s' did not answer within %s: its process is stuck "
				"or stopped; look at its log, and at `ps` for state T or D",
				client->path, bm_clock_format_span(client->timeout_msec, span));
	}
	return bm_error_set(err, BM_ERR_IO, "lost the connection to the machine at '%s': %m",
			client->path);
}

static int send_all(struct cli_client *client, const char *data, size_t length,
		struct bm_error *err)
{
	for (size_t done = 0; done < length;) {
		/* A refusal may already be waiting for us: EPIPE is no reason not to read it.
		 */
		ssize_t n = send(client->fd, data + done, length - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EPIPE) {
			return 0;
		}
		if (n < 0) {
			return explain_silence(client, err);
		}
		done += (size_t)n;
	}
	return 0;
}

int cli_client_send(struct cli_client *client, json_t *request, struct bm_error *err)
{
	char *text = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	if (text == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"the request holds bytes that are not UTF-8");
	}
	int rc = send_all(client, text, strlen(text), err);
	free(text);
	return rc == 0 ? send_all(client, "\n", 1, err) : rc;
}

void cli_client_wait_forever(struct cli_client *client)
{
	set_timeout(client->fd, 0);
}

static int read_more(struct cli_client *client, struct bm_error *err)
{
	char block[16384];
	ssize_t got;

	do {
		got = recv(client->fd, block, sizeof(block), 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		return explain_silence(client, err);
	}
	if (got == 0) {
		return bm_error_set(err, BM_ERR_IO,
				"the machine at '%s' closed the connection before it had answered: it "
				"is stopping, or it died",
				client->path);
	}
	if (client->input.length + (size_t)got > ANSWER_LIMIT_BYTES) {
		return bm_error_set(err, BM_ERR_INTERNAL,
				"the answer of the machine at '%s' has no end", client->path);
	}
	bm_strbuf_add(&client->input, block, (size_t)got);
	return 0;
}

json_t *cli_client_next(struct cli_client *client, struct bm_error *err)
{
	const char *end = NULL;
	json_error_t why;

	for (size_t seen = 0; end == NULL;) {
		if (client->input.length > seen) {
			end = memchr(client->input.text + seen, '\n',
					client->input.length - seen);
			seen = client->input.length;
		}
		if (end == NULL && read_more(client, err) != 0) {
			return NULL;
		}
	}
	size_t length = (size_t)(end - client->input.text);
	json_t *answer = json_loadb(client->input.text, length, 0, &why);
	bm_strbuf_consume(&client->input, length + 1);
	if (!json_is_object(answer)) {
		json_decref(answer);
		bm_error_set(err, BM_ERR_INTERNAL,
				"what answers at '%s' does not speak the machine's language: %s",
				client->path, why.text);
		return NULL;
	}
	return answer;
}

int cli_client_check(json_t *answer, struct bm_error *err)
{
	const char *text = json_string_value(json_object_get(answer, "error"));
	const char *code = json_string_value(json_object_get(answer, "code"));

	if (json_is_true(json_object_get(answer, "ok"))) {
		return 0;
	}
	return bm_error_set(err,
			code != NULL && strcmp(code, "config") == 0 ? BM_ERR_CONFIG
								    : BM_ERR_PRECONDITION,
			"%s", text != NULL ? text : "the machine refused, and did not say why");
}

json_t *cli_client_call(const char *runtime, unsigned timeout_msec, json_t *request,
		struct bm_error *err)
{
	struct cli_client client;
	json_t *answer = NULL;

	if (cli_client_open(&client, runtime, timeout_msec, err) != 0) {
		json_decref(request);
		return NULL;
	}
	if (cli_client_send(&client, request, err) == 0) {
		answer = cli_client_next(&client, err);
	}
	cli_client_close(&client);
	if (answer != NULL && cli_client_check(answer, err) != 0) {
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}
