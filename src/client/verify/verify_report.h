/*
 * verify_report - the report for an auditor: one HTML page that needs nothing else, and the
 * same as JSON beside it
 */
#ifndef CLIENT_VERIFY_VERIFY_REPORT_H
#define CLIENT_VERIFY_VERIFY_REPORT_H

#include "bucardo_machine/error.h"
#include "bucardo_machine/verify.h"

struct json_t;
struct bm_strbuf;

/* Whether both files could be written: asked before the comparison begins. */
int cli_verify_report_check(const char *path, struct bm_error *err);

/* The page alone. */
void cli_verify_report_page(
		const struct json_t *report, enum bm_proof result, struct bm_strbuf *out);

/* Replace both: whoever looks finds the old ones or the new ones, whole. */
int cli_verify_report_write(const char *path, const struct json_t *report, enum bm_proof result,
		struct bm_error *err);

#endif
