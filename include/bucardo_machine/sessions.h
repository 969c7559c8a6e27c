/*
 * sessions - how sessions with a database are made, and what is set in each
 *
 * Keyword arrays for PQconnectStartParams(), and one table of settings for all sessions:
 * of the workers, of the copy and its programs, and of Bucardo (src/base/libpq/sessions.c;
 * each row has its reason). What every server knows goes into the connection's `options`,
 * so it is in force before the first statement whatever a database or a role is set to; the
 * same and the rest is SET again at once, since a pooler may drop `options`. SET and SHOW
 * are no functions: nothing in a schema can take their place.
 *
 * Pure texts; no libpq. Threads: any.
 */
#ifndef BUCARDO_MACHINE_SESSIONS_H
#define BUCARDO_MACHINE_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

/* ---- keyword arrays ---- */

/* Both lists end with NULL. Texts are owned. */
#define BM_CONNINFO_MAX 64
struct bm_conninfo {
	char *keywords[BM_CONNINFO_MAX + 1];
	char *values[BM_CONNINFO_MAX + 1];
	size_t count;
};

/* Set a keyword, or replace it; NULL and "" are "not given". */
void bm_conninfo_put(struct bm_conninfo *info, const char *keyword, const char *value);

/* The keywords of a conninfo string or URI that a person typed for the "source" or the
 * "destination". Finish `out` in either case. */
int bm_conninfo_parse(const char *text, const char *role, struct bm_conninfo *out,
		struct bm_error *err);

/* The value of a keyword, or NULL. */
const char *bm_conninfo_get(const struct bm_conninfo *info, const char *keyword);

bool bm_conninfo_equal(const struct bm_conninfo *a, const struct bm_conninfo *b);

/* Make `out` a copy of its own. */
void bm_conninfo_copy(const struct bm_conninfo *info, struct bm_conninfo *out);

/* Wipe and free; a zeroed one is accepted. */
void bm_conninfo_finish(struct bm_conninfo *info);

/* NAME='value', quoted as libpq reads it, after `separator` when there is something. */
void bm_conninfo_word(struct bm_strbuf *out, const char *separator, const char *keyword,
		const char *value);

/* ---- settings ---- */

enum bm_session_kind {
	BM_SESSION_CONTROL = 1 << 0,	      /* with the control database */
	BM_SESSION_WORKER = 1 << 1,	      /* a worker, with source or destination */
	BM_SESSION_COPY_SOURCE = 1 << 2,      /* transfer/, and pg_dump */
	BM_SESSION_COPY_DESTINATION = 1 << 3, /* transfer/ */
	BM_SESSION_BUCARDO = 1 << 4,	      /* Bucardo, with source or destination */
	BM_SESSION_VERIFY = 1 << 5,	      /* verify/, with either: it reads */
};

/* The value of `options`: "-c search_path=pg_catalog,\ pg_temp -c ...". */
void bm_session_options(enum bm_session_kind session, struct bm_strbuf *out);

/* Put them into `info`, after what a person wrote there: ours win. */
void bm_session_pin(struct bm_conninfo *info, enum bm_session_kind session);

/*
 * SET statements for a server of `version` (150003), to be sent as one: all that is pinned,
 * and the client_encoding that fits to the database's (bm_session_encoding()).
 */
void bm_session_sql(enum bm_session_kind session, int version, const char *server_encoding,
		struct bm_strbuf *out);

/* The same as SET LOCAL, for a transaction whose session may be another one's the next moment.
 */
void bm_session_local_sql(enum bm_session_kind session, int version,
		const char *server_encoding, struct bm_strbuf *out);

/* The same for somebody who asks for the version himself: lines of "VERSION STATEMENT". */
void bm_session_lines(enum bm_session_kind session, struct bm_strbuf *out);

/* UTF8, but SQL_ASCII with a database of bytes, which no conversion may touch. */
const char *bm_session_encoding(const char *server_encoding);

/* What BM_SESSION_SHOW says when the settings are in force. */
#define BM_SESSION_SHOW "SHOW search_path"
const char *bm_session_path(enum bm_session_kind session);

/*
 * Applying sessions write rows of the migration: what they write is no change of an
 * application, is not captured, and passes the fence. They say so by this setting AND by
 * session_replication_role = replica, which a plain role cannot set.
 */
#define BM_SESSION_APPLYING "bucardo_machine.applying"

/* Tried in sessions that write; who may not has it refused. See docs/worker-protocol.md. */
#define BM_SESSION_REPLICA_SQL "SET session_replication_role = replica"

#endif
