/*
 * history_row - what the history keeps of a status: a row for the machine, one a migration
 *
 * Threads: any.
 */
#ifndef CLIENT_HISTORY_HISTORY_ROW_H
#define CLIENT_HISTORY_HISTORY_ROW_H

#include <jansson.h>
#include <stdint.h>

/* Migrations that have rows of their own, the first ones of the status. */
#define HISTORY_MIGRATIONS 20

/* Append them to `rows`, as bm_history_write() takes them. `at`: seconds since the epoch. */
void history_rows_add(json_t *rows, const json_t *status, int64_t at);

#endif
