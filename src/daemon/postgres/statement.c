/* Statements waiting for their turn, and the translation of libpq's results. */
#include "daemon/postgres/statement.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

struct bm_statement *bm_statement_create(const char *sql, const char *const *params,
		size_t param_count, bm_result_cb *cb, void *ctx)
{
	struct bm_statement *statement = bm_alloc(sizeof(*statement));

	statement->sql = bm_strdup(sql);
	statement->param_count = param_count;
	statement->cb = cb;
	statement->ctx = ctx;
	if (param_count > 0) {
		statement->params = bm_alloc(param_count * sizeof(*statement->params));
	}
	for (size_t i = 0; i < param_count; i++) {
		statement->params[i] = bm_strdup(params[i]);
	}
	return statement;
}

void bm_statement_destroy(struct bm_statement *statement)
{
	if (statement == NULL) {
		return;
	}
	for (size_t i = 0; i < statement->param_count; i++) {
		free(statement->params[i]);
	}
	free(statement->params);
	free(statement->sql);
	free(statement);
}

bool bm_statement_send(const struct bm_statement *statement, PGconn *pg)
{
	if (statement->param_count == 0) {
		return PQsendQuery(pg, statement->sql) == 1;
	}
	return PQsendQueryParams(pg, statement->sql, (int)statement->param_count, NULL,
			       (const char *const *)statement->params, NULL, NULL, 0) == 1;
}

static void call_back(const struct bm_statement *statement, const struct bm_result *result)
{
	if (statement->cb != NULL) {
		statement->cb(statement->ctx, result);
	}
}

void bm_statement_fail(const struct bm_statement *statement)
{
	const struct bm_result result = {.error = &statement->error};

	call_back(statement, &result);
}

/* The server's word for "cancelled", and no other, turns into a timeout: a statement that
 * ended just before the cancel reached it has its true result. */
static void explain_timeout(struct bm_error *err)
{
	if (strcmp(err->sqlstate, "57014") == 0) {
		err->code = BM_ERR_TIMEOUT;
		bm_error_wrap(err, "cancelled after its time limit");
	}
}

void bm_statement_finish(
		const struct bm_statement *statement, const PGresult *pg_result, bool timed_out)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_result result = {.impl = pg_result};

	if (bm_pq_is_error(pg_result)) {
		bm_pq_result_error(pg_result, &err);
		if (timed_out) {
			explain_timeout(&err);
		}
		result.error = &err;
	} else {
		result.row_count = (size_t)PQntuples(pg_result);
		result.column_count = (size_t)PQnfields(pg_result);
	}
	call_back(statement, &result);
}

const char *bm_result_get(const struct bm_result *result, size_t row, size_t column)
{
	int r = (int)row;
	int c = (int)column;

	if (row >= result->row_count || column >= result->column_count ||
			PQgetisnull(result->impl, r, c)) {
		return NULL;
	}
	return PQgetvalue(result->impl, r, c);
}

void bm_statement_queue_add(struct bm_statement_queue *queue, struct bm_statement *statement)
{
	statement->next = NULL;
	if (queue->tail != NULL) {
		queue->tail->next = statement;
	} else {
		queue->head = statement;
	}
	queue->tail = statement;
}

struct bm_statement *bm_statement_queue_take(struct bm_statement_queue *queue)
{
	struct bm_statement *statement = queue->head;

	if (statement != NULL) {
		queue->head = statement->next;
		queue->tail = queue->head != NULL ? queue->tail : NULL;
	}
	return statement;
}

bool bm_pq_is_error(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
			status != PGRES_EMPTY_QUERY;
}

void bm_pq_result_error(const PGresult *result, struct bm_error *err)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char *text = bm_pq_one_line(message != NULL ? message : PQresultErrorMessage(result));
	char *more = bm_pq_one_line(detail != NULL ? detail : "");

	bm_error_set(err, BM_ERR_SQL, "%s%s%s%s", text[0] != '\0' ? text : "no result",
			more[0] != '\0' ? " (" : "", more, more[0] != '\0' ? ")" : "");
	if (sqlstate != NULL) {
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	}
	free(text);
	free(more);
}

char *bm_pq_one_line(const char *text)
{
	char *line = bm_strdup(text);
	size_t length = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (!isspace((unsigned char)*p)) {
			line[length++] = *p;
		} else if (length > 0 && line[length - 1] != ' ') {
			line[length++] = ' ';
		}
	}
	if (length > 0 && line[length - 1] == ' ') {
		length--;
	}
	line[length] = '\0';
	return line;
}

bool bm_sql_is_gone(const struct bm_error *err)
{
	static const char *const states[] = {"3F000", "42P01", "42703", "42P10"};

	for (size_t i = 0; i < BM_COUNT_OF(states); i++) {
		if (strcmp(err->sqlstate, states[i]) == 0) {
			return true;
		}
	}
	return false;
}
