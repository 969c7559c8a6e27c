/*
 * hints - what the SQLSTATE of an error says beyond its message
 *
 * Threads: any.
 */
#ifndef BUCARDO_MACHINE_HINTS_H
#define BUCARDO_MACHINE_HINTS_H

#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/phase_line.h"

#define BM_SQLSTATE_DISK_FULL "53100"

/* What a person can do about a failure; "" when the message says it. */
const char *bm_hint_of(const struct bm_error *err);

/* The server's disk is full: all will fail until somebody makes room. */
bool bm_sql_is_full(const struct bm_error *err);

/* Who has to do something about it. */
enum bm_failure bm_failure_of(const struct bm_error *err);

#endif
