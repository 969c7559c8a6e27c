/* The bearer token: read for each request, so that a changed Secret counts at once. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/log.h"
#include "client/http/http_server.h"

/* The longest token. */
#define TOKEN_BYTES 512

/* One open and one read: a Secret's file is replaced by a rename. -1: it cannot be read, or is
 * empty or too long. */
static int load(const char *file, unsigned char token[TOKEN_BYTES + 1])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length = fd >= 0 ? read(fd, token, TOKEN_BYTES + 1) : -1;

	if (fd >= 0) {
		close(fd);
	}
	while (length > 0 && (token[length - 1] == '\n' || token[length - 1] == '\r')) {
		token[--length] = '\0';
	}
	return length > 0 && length <= TOKEN_BYTES ? (int)length : -1;
}

/* As long for each pair of tokens: nothing of it can be measured. */
static bool is_equal(const unsigned char *a, const unsigned char *b)
{
	volatile unsigned char difference = 0;

	for (size_t i = 0; i < TOKEN_BYTES + 1; i++) {
		difference |= a[i] ^ b[i];
	}
	return difference == 0;
}

static void note(bool is_readable, const char *file)
{
	static bool was_noted;

	if (!is_readable && !was_noted) {
		bm_log(BM_LOG_ERROR, "http", BM_FIELDS(bm_str("subject", file)),
				"the token file cannot be read, is empty, or has more than %d "
				"bytes: only the probes are answered. See http.token_file in "
				"machine.yaml",
				TOKEN_BYTES);
	}
	was_noted = !is_readable;
}

int http_token_check(const char *file, const char *given)
{
	unsigned char token[TOKEN_BYTES + 1] = {0}, other[TOKEN_BYTES + 1] = {0};
	size_t length = strlen(given);
	int token_length = load(file, token);

	note(token_length > 0, file);
	if (token_length <= 0) {
		return -1;
	}
	memcpy(other, given, length <= TOKEN_BYTES ? length : TOKEN_BYTES + 1);
	bool equal = is_equal(token, other);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(other, sizeof(other));
	return equal;
}
