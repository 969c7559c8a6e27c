/*
 * One queued SQL statement of a connection, and what libpq says in our terms.
 * The queue is a plain singly linked list with a tail.
 */
#ifndef DAEMON_POSTGRES_STATEMENT_H
#define DAEMON_POSTGRES_STATEMENT_H

#include <libpq-fe.h>

#include "bucardo_machine/postgres.h"

struct bm_statement {
	struct bm_statement *next;
	char *sql;
	char **params; /* NULL when there are none */
	size_t param_count;
	bm_result_cb *cb; /* NULL: nobody waits any more */
	void *ctx;
	struct bm_error error; /* why it failed without having run to its end */
};

struct bm_statement *bm_statement_create(const char *sql, const char *const *params,
		size_t param_count, bm_result_cb *cb, void *ctx);
void bm_statement_destroy(struct bm_statement *statement);

/* Hand it to libpq, which copies it. False: the connection is unusable. */
bool bm_statement_send(const struct bm_statement *statement, PGconn *pg);

/* Call back with `error`, or with what `result` holds. */
void bm_statement_fail(const struct bm_statement *statement);
void bm_statement_finish(
		const struct bm_statement *statement, const PGresult *result, bool timed_out);

struct bm_statement_queue {
	struct bm_statement *head, *tail;
};

void bm_statement_queue_add(struct bm_statement_queue *queue, struct bm_statement *statement);
struct bm_statement *bm_statement_queue_take(struct bm_statement_queue *queue);

/* Whether `result` is the server's refusal. */
bool bm_pq_is_error(const PGresult *result);

/* The refusal as BM_ERR_SQL, or INTERNAL for what no statement of ours may give. */
void bm_pq_result_error(const PGresult *result, struct bm_error *err);

/* libpq's texts have several lines and a line feed at the end: make it one line. */
char *bm_pq_one_line(const char *text);

#endif
