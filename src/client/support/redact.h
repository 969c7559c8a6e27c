/*
 * redact - take secrets out of a text
 *
 * Two nets: secrets that are known (passwords of pgpass, a token) go wherever they stand, also
 * as JSON, SQL, a URI or a conninfo string would have them; and what stands where secrets
 * stand (`password=`, `://user:…@`, a private key) goes whatever it is. A known secret of less
 * than 4 bytes is left to the second net: it would be found in every other word.
 *
 * Pure, no I/O. Threads: one at a time.
 */
#ifndef CLIENT_SUPPORT_REDACT_H
#define CLIENT_SUPPORT_REDACT_H

#include <stddef.h>

#include "bucardo_machine/strbuf.h"

/* What stands in its place. */
#define CLI_REDACTED "[removed]"

struct cli_redactor;

struct cli_redactor *cli_redactor_create(void);
void cli_redactor_destroy(struct cli_redactor *redactor); /* wipes; NULL is accepted */

/* One that is known; copied. */
void cli_redactor_add(struct cli_redactor *redactor, const char *secret);

/* The passwords of a file as libpq reads it. */
void cli_redactor_add_pgpass(struct cli_redactor *redactor, const char *text);

/* Append `text` without them. A NUL ends it. */
void cli_redact(const struct cli_redactor *redactor, const char *text, struct bm_strbuf *out);

#endif
