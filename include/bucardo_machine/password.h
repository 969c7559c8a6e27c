/*
 * password - which line of pgpass a person has to correct
 *
 * libpq says that a password was refused, but not which line of the file it came from. Never
 * tells a password. Threads: any.
 */
#ifndef BUCARDO_MACHINE_PASSWORD_H
#define BUCARDO_MACHINE_PASSWORD_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

struct pg_conn;

/* How such an error begins: what is wrong, then the line, "host:port:database:user". */
#define BM_PASSWORD_WRONG "wrong password in the line of pgpass for "
#define BM_PASSWORD_MISSING "there is no line in pgpass for "

/* "host:port:database:user" as pgpass has it: ':' and '\' are escaped. */
void bm_password_line(struct bm_strbuf *out, const char *host, const char *port,
		const char *database, const char *user);

/* Put that in front of the error of a connection that was refused for its password from
 * pgpass; then it is for a person to fix. Else nothing. */
void bm_password_explain(const struct pg_conn *conn, struct bm_error *err);

/* Whether `message` has such a line in it; then it goes to `out` (NULL: only asked). */
bool bm_password_find(const char *message, struct bm_strbuf *out);

#endif
