/* The line of pgpass behind a refused connection. */
#include "bucardo_machine/macros.h"
#include "bucardo_machine/password.h"

#include <libpq-fe.h>
#include <string.h>

static void put_field(struct bm_strbuf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == ':' || *text == '\\') {
			bm_strbuf_putc(out, '\\');
		}
		bm_strbuf_putc(out, *text);
	}
}

void bm_password_line(struct bm_strbuf *out, const char *host, const char *port,
		const char *database, const char *user)
{
	/* A socket in a folder is "localhost" to libpq when it looks for its line. */
	put_field(out, host == NULL || host[0] == '\0' || host[0] == '/' ? "localhost" : host);
	bm_strbuf_putc(out, ':');
	put_field(out, port != NULL && port[0] != '\0' ? port : "5432");
	bm_strbuf_putc(out, ':');
	put_field(out, database != NULL ? database : "");
	bm_strbuf_putc(out, ':');
	put_field(out, user != NULL ? user : "");
}

/* NULL: it was not refused for what stands in pgpass. libpq says so in English, whatever the
 * server speaks, and only when the password came from the file. */
static const char *reason(const PGconn *conn)
{
	if (strstr(PQerrorMessage(conn), "password retrieved from file") != NULL) {
		return BM_PASSWORD_WRONG;
	}
	return PQconnectionNeedsPassword(conn) ? BM_PASSWORD_MISSING : NULL;
}

void bm_password_explain(const PGconn *conn, struct bm_error *err)
{
	const char *why = reason(conn);
	struct bm_strbuf line = BM_STRBUF_INIT;

	if (why == NULL) {
		return;
	}
	bm_password_line(&line, PQhost(conn), PQport(conn), PQdb(conn), PQuser(conn));
	bm_error_wrap(err, "%s%s", why, bm_strbuf_text(&line));
	err->code = BM_ERR_PRECONDITION;
	bm_strbuf_finish(&line);
}

bool bm_password_find(const char *message, struct bm_strbuf *out)
{
	static const char *const marks[] = {BM_PASSWORD_WRONG, BM_PASSWORD_MISSING};

	for (size_t i = 0; i < BM_COUNT_OF(marks); i++) {
		const char *at = strstr(message, marks[i]);
		if (at != NULL) {
			/* The line ends where what libpq said begins. */
			const char *line = at + strlen(marks[i]);
			const char *end = strstr(line, ": ");
			size_t length = end != NULL ? (size_t)(end - line) : strlen(line);
			if (out != NULL) {
				bm_strbuf_add(out, line, length);
			}
			return true;
		}
	}
	return false;
}
