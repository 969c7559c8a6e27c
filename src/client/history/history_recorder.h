/*
 * history_recorder - asks for the status each 10 s, and has it kept
 *
 * What cannot be written now waits in memory, the newest rows: about an hour of a machine with
 * one migration. A failure is told once, and its end.
 *
 * Threads: one, which may wait for the control database.
 */
#ifndef CLIENT_HISTORY_HISTORY_RECORDER_H
#define CLIENT_HISTORY_HISTORY_RECORDER_H

#include <jansson.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

struct history_recorder;

/* Folders of the control socket and of PostgreSQL's; both borrowed. */
struct history_recorder *history_recorder_create(const char *runtime, const char *socket_dir);

/* Until the next row is due; at 0 call history_recorder_step(). */
uint64_t history_recorder_due_msec(const struct history_recorder *recorder);
void history_recorder_step(struct history_recorder *recorder);

/* The page (free()), of a migration or "" for the machine; 0 for `from` or `to`: the last
 * hour. NULL with `err`, as bm_history_read(). */
char *history_recorder_read(struct history_recorder *recorder, const char *migration,
		int64_t from, int64_t to, struct bm_error *err);

/* The attempts of cut-overs that are kept, as bm_history_attempts() says them (free()); NULL
 * while nobody could ask. From any thread. */
char *history_recorder_attempts(struct history_recorder *recorder);

#endif
