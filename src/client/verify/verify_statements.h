/* verify_statements - SQL that shows what the report says of an object, on either side */
#ifndef CLIENT_VERIFY_VERIFY_STATEMENTS_H
#define CLIENT_VERIFY_VERIFY_STATEMENTS_H

#include <jansson.h>

#include "bucardo_machine/strbuf.h"

/* Of an object of the report; nothing where there is none. */
void cli_verify_statement(const json_t *object, struct bm_strbuf *out);

/* Of one of its rows: {"key": {...}}. */
void cli_verify_row_statement(const json_t *object, const json_t *row, struct bm_strbuf *out);

#endif
