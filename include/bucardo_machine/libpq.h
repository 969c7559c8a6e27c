/*
 * libpq - what every role that uses libpq shares: loading it, and quoting
 *
 * The settings of sessions are in sessions.h, passwords in password.h.
 *
 * Threads: any.
 */
#ifndef BUCARDO_MACHINE_LIBPQ_H
#define BUCARDO_MACHINE_LIBPQ_H

#include "bucardo_machine/strbuf.h"

/*
 * Libpq is loaded when its first function is called (late.c says why). This does it now, for
 * a process that may be out of descriptors or memory by then. Ends the process with exit
 * code 127 when there is no libpq, as the loader would.
 */
void bm_postgres_load(void);

/* ---- quoting (append; for values that cannot be parameters) ---- */
void bm_quote_ident(struct bm_strbuf *out, const char *name);
void bm_quote_literal(struct bm_strbuf *out, const char *value);
/* The text of an array parameter, {"a","b"}: add each to an empty buffer, then end it. The
 * caller frees what the end returns; the buffer is empty again. */
void bm_quote_array_add(struct bm_strbuf *out, const char *value);
char *bm_quote_array_end(struct bm_strbuf *out);

#endif
