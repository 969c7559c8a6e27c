/*
 * connect - the two databases, and blocking statements
 *
 * Every session has the same pinned settings, so that text means the same on both
 * sides. Texts of connections never get into a message: they are named by role
 * ("source", "destination") and, where it helps, by host, port and database.
 */
#ifndef WORKER_SESSION_CONNECT_H
#define WORKER_SESSION_CONNECT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"

struct bm_endpoint {
	const char *role; /* "source" or "destination" */
	struct bm_conninfo words;
	char *place;	   /* "shop on db.example:5432" */
	char encoding[64]; /* client_encoding of our sessions; "" until known */
	bool is_destination;
};

/* Copy `words`; a password among them is refused. Finish it in either case. */
int bm_endpoint_init(struct bm_endpoint *endpoint, const char *role,
		const struct bm_conninfo *words, struct bm_error *err);
void bm_endpoint_finish(struct bm_endpoint *endpoint);

/* For a program that takes nothing else: all that a session of ours is given (free()). */
char *bm_endpoint_text(const struct bm_endpoint *endpoint);

/* A new session with the settings pinned, or NULL. Close with PQfinish(). */
PGconn *bm_endpoint_connect(const struct bm_endpoint *endpoint, struct bm_error *err);

/* The search_path of a session that nobody gives one, as the server shows it; free(). NULL: it
 * could not be asked. Nothing but SHOW is said in it. */
char *bm_endpoint_usual_path(const struct bm_endpoint *endpoint);

/* Run one or more statements; the last result (PQclear), or NULL with `err`. */
PGresult *bm_sql(PGconn *conn, const char *sql, struct bm_error *err);
PGresult *bm_sql_params(PGconn *conn, const char *sql, int count, const char *const *params,
		struct bm_error *err);

/* The same where nobody looks at the result. */
int bm_sql_do(PGconn *conn, const char *sql, struct bm_error *err);

/* The first cell as a text of its own (free()), NULL when there is none or on failure. */
char *bm_sql_value(PGconn *conn, const char *sql, struct bm_error *err);

/*
 * Fill `err` from SQLSTATE and message: TRANSIENT for what may pass, PRECONDITION for a
 * full disk, else SQL.
 */
int bm_sql_error(struct bm_error *err, const char *sqlstate, const char *message);

#endif
