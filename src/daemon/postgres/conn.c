/* The owner's side of an asynchronous connection: made, opened, queried, given back. */
#include "daemon/postgres/conn.h"

#include <stdlib.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"

#define DEFAULT_LIMIT_MSEC 30000
#define DEFAULT_RETRY_MSEC 500

static char *make_listen_sql(const char *const *channels)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	if (channels == NULL || channels[0] == NULL) {
		return NULL;
	}
	for (size_t i = 0; channels[i] != NULL; i++) {
		bm_strbuf_puts(&sql, "LISTEN ");
		bm_quote_ident(&sql, channels[i]);
		bm_strbuf_puts(&sql, ";");
	}
	return bm_strbuf_detach(&sql);
}

static uint64_t or_default(uint64_t msec, uint64_t otherwise)
{
	return msec > 0 ? msec : otherwise;
}

struct bm_conn *bm_conn_create(struct bm_loop *loop, const struct bm_conn_options *options,
		bm_conn_cb *cb, void *ctx)
{
	struct bm_conn *conn = bm_alloc(sizeof(*conn));

	conn->loop = loop;
	conn->cb = cb;
	conn->lets_in = options->lets_in;
	conn->ctx = ctx;
	conn->socket_dir = bm_strdup(options->socket_dir);
	conn->dbname = bm_strdup(options->dbname);
	conn->user = bm_strdup(options->user);
	conn->application_name = bm_strdup(options->application_name);
	conn->listen_sql = make_listen_sql(options->listen);
	conn->connect_timeout_msec = or_default(
			options->connect_timeout_msec, DEFAULT_LIMIT_MSEC);
	conn->query_timeout_msec = or_default(options->query_timeout_msec, DEFAULT_LIMIT_MSEC);
	conn->retry_msec = or_default(options->retry_msec, DEFAULT_RETRY_MSEC);
	conn->timer = bm_timer_create(loop, bm_conn_on_timer, conn);
	conn->delivery = bm_timer_create(loop, bm_conn_on_delivery, conn);
	return conn;
}

void bm_conn_release(struct bm_conn *conn)
{
	free(conn->socket_dir);
	free(conn->dbname);
	free(conn->user);
	free(conn->application_name);
	free(conn->listen_sql);
	free(conn->reason);
	free(conn);
}

void bm_conn_open(struct bm_conn *conn)
{
	if (conn->state == BM_CONN_CLOSED) {
		conn->state = BM_CONN_WAITING;
		bm_timer_arm(conn->timer, 0);
	}
}

void bm_conn_close(struct bm_conn *conn)
{
	bm_conn_drop(conn, BM_ERR_TRANSIENT, "the connection was closed");
	conn->state = BM_CONN_CLOSED;
	free(conn->reason);
	conn->reason = NULL;
}

void bm_conn_destroy(struct bm_conn *conn)
{
	struct bm_statement *statement;

	if (conn == NULL) {
		return;
	}
	bm_conn_close(conn);
	while ((statement = bm_statement_queue_take(&conn->failed)) != NULL) {
		bm_statement_destroy(statement);
	}
	bm_timer_close(conn->timer);
	bm_timer_close(conn->delivery);
	conn->destroyed = true;
	if (conn->depth == 0) {
		bm_conn_release(conn);
	}
}

bool bm_conn_is_up(const struct bm_conn *conn)
{
	return conn->state == BM_CONN_CONNECTED;
}

void bm_conn_query(struct bm_conn *conn, const char *sql, const char *const *params,
		size_t param_count, bm_result_cb *cb, void *ctx)
{
	struct bm_statement *statement = bm_statement_create(sql, params, param_count, cb, ctx);

	if (conn->state == BM_CONN_CONNECTED) {
		bm_statement_queue_add(&conn->waiting, statement);
		bm_timer_arm(conn->delivery, 0);
	} else {
		bm_conn_fail_later(conn, statement, BM_ERR_TRANSIENT,
				conn->reason != NULL ? conn->reason
						     : "PostgreSQL is not connected");
	}
}

static void forget_in(struct bm_statement *head, bm_result_cb *cb, void *ctx)
{
	for (struct bm_statement *s = head; s != NULL; s = s->next) {
		if (s->cb == cb && s->ctx == ctx) {
			s->cb = NULL;
		}
	}
}

void bm_conn_forget(struct bm_conn *conn, bm_result_cb *cb, void *ctx)
{
	forget_in(conn->waiting.head, cb, ctx);
	forget_in(conn->failed.head, cb, ctx);
	if (conn->running != NULL) {
		conn->running->next = NULL;
		forget_in(conn->running, cb, ctx);
	}
}
