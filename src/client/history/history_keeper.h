/*
 * history_keeper - asks for the status each 10 s, and has it kept
 *
 * What cannot be written now waits in memory, the newest rows: about an hour of a machine with
 * one migration. A failure is told once, and its end.
 *
 * Threads: one, which may wait for the control database.
 */
#ifndef CLIENT_HISTORY_HISTORY_KEEPER_H
#define CLIENT_HISTORY_HISTORY_KEEPER_H

#include <jansson.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct history_keeper;

/* Folders of the control socket and of PostgreSQL's; both borrowed. */
struct history_keeper *history_keeper_create(const char *runtime, const char *socket_dir);

/* Until the next row is due; at 0 call history_keeper_step(). */
uint64_t history_keeper_due_msec(const struct history_keeper *keeper);
void history_keeper_step(struct history_keeper *keeper);

/* The page (free()), of a migration or "" for the machine; 0 for `from` or `to`: the last
 * hour. NULL with `err`, as bm_history_read(). */
char *history_keeper_read(struct history_keeper *keeper, const char *migration, int64_t from,
		int64_t to, struct bm_error *err);

/* The attempts of cut-overs that are kept, as bm_history_attempts() says them (free()); NULL
 * while nobody could ask. From any thread. */
char *history_keeper_attempts(struct history_keeper *keeper);

#endif
