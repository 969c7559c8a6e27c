/*
 * conninfo - the libpq parameters that reach one row of bucardo.db
 *
 * The same server as Bucardo itself would reach: host, port and dbname, over
 * them the row's dbconn, over that its user and password. What the row leaves
 * open and that could hang us (connecting, a silent network) is added.
 */
#ifndef WORKER_SESSION_CONNINFO_H
#define WORKER_SESSION_CONNINFO_H

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"

/* A row of bucardo.db; NULL or "" is "not given". Borrowed texts. */
struct bm_conninfo_row {
	const char *host;
	const char *port;
	const char *dbname;
	const char *user;
	const char *password;
	const char *service;
	const char *dbconn; /* "sslmode=require;connect_timeout=5" */
};

/*
 * Fill `out` for `row`. Fails with BM_ERR_CONFIG when dbconn cannot be parsed;
 * the message does not repeat it, there may be a password in it. Finish `out`
 * in either case.
 */
int bm_conninfo_build(const struct bm_conninfo_row *row, struct bm_conninfo *out,
		struct bm_error *err);

/* Add what is open and could hang us, and the encoding. */
void bm_conninfo_defaults(struct bm_conninfo *info);

#endif
