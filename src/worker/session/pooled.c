/* Whose session it is, by the process of the server that answers. */
#include "worker/session/pooled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/sessions.h"
#include "worker/session/ask.h"

#define ANSWER_MSEC 5000

/* One that keeps sessions may have no second one to give. */
#define OTHER_MSEC 2000

#define ROUNDS 3

bool bm_pooled_drops_settings(PGconn *conn)
{
	struct bm_error err = BM_ERROR_INIT;
	PGresult *said = bm_ask_script(conn, "SHOW " BM_SESSION_APPLYING, ANSWER_MSEC, &err);
	bool arrived = said != NULL && strcmp(PQgetvalue(said, 0, 0), "on") == 0;

	PQclear(said);
	return !arrived;
}

/* The process that answers, in a transaction of its own or in one that stays open; 0: nobody.
 */
static int process_of(PGconn *conn, const char *begin, uint64_t limit_msec)
{
	struct bm_error err = BM_ERROR_INIT;
	PGresult *begun = begin != NULL ? bm_ask_script(conn, begin, limit_msec, &err) : NULL;
	PGresult *row = begin == NULL || begun != NULL
			? bm_ask_script(conn, "SELECT pg_catalog.pg_backend_pid()", limit_msec,
					  &err)
			: NULL;
	int pid = row != NULL ? atoi(PQgetvalue(row, 0, 0)) : 0;

	PQclear(begun);
	PQclear(row);
	return pid;
}

/* While the other one is in a transaction it has a process for itself; ours must be ours then,
 * and have been ours before. */
static bool is_shared(PGconn *conn, PGconn *other)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct bm_error err = BM_ERROR_INIT;
		int mine = process_of(conn, NULL, ANSWER_MSEC);
		int theirs = process_of(other, "BEGIN", OTHER_MSEC);
		if (mine == 0 || theirs == 0) {
			return false;
		}
		if (mine == theirs || process_of(conn, NULL, ANSWER_MSEC) != mine) {
			return true;
		}
		PQclear(bm_ask_script(other, "ROLLBACK", ANSWER_MSEC, &err));
	}
	return false;
}

int bm_pooled_check(PGconn *conn, PGconn *other, struct bm_error *err)
{
	return !is_shared(conn, other)
			? 0
			: bm_error_set(err, BM_ERR_PRECONDITION,
					  "settings do not stay in force from one statement to "
					  "the next: connect to the server itself, or through a "
					  "pooler in session mode");
}

int bm_pooled_explain(struct bm_error *err)
{
	const char *const told =
			": connect to the server itself, or through a pooler in session "
			"mode with ignore_startup_parameters = options";
	size_t length = strlen(err->message);

	if (strstr(err->message, "unsupported startup parameter") != NULL) {
		snprintf(err->message + length, sizeof(err->message) - length, "%s", told);
	}
	return -1;
}
