/*
 * conninfo - the libpq parameters that reach one row of bucardo.db
 *
 * The same server as Bucardo itself would reach: host, port and dbname, over
 * them the row's dbconn, over that its user and password. What the row leaves
 * open and that could hang us (connecting, a silent network) is added.
 */
#ifndef WORKER_CONNINFO_H
#define WORKER_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/error.h"

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

/* For PQconnectStartParams(); both lists end with NULL. Texts are owned. */
#define BM_CONNINFO_MAX 64
struct bm_conninfo {
	char *keywords[BM_CONNINFO_MAX + 1];
	char *values[BM_CONNINFO_MAX + 1];
	size_t count;
};

/*
 * Fill `out` for `row`. Fails with BM_ERR_CONFIG when dbconn cannot be parsed;
 * the message does not repeat it, there may be a password in it. Finish `out`
 * in either case.
 */
int bm_conninfo_build(const struct bm_conninfo_row *row, struct bm_conninfo *out,
		struct bm_error *err);

/* Wipe and free; a zeroed one is accepted. */
void bm_conninfo_finish(struct bm_conninfo *info);

bool bm_conninfo_equal(const struct bm_conninfo *a, const struct bm_conninfo *b);

/* Make `out` a copy of its own. */
void bm_conninfo_copy(const struct bm_conninfo *info, struct bm_conninfo *out);

/* The value of a keyword, or NULL. */
const char *bm_conninfo_get(const struct bm_conninfo *info, const char *keyword);

#endif
