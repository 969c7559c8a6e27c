/*
 * verify_view - what `verify` prints: one line an object and its rows, the share that is read,
 * the result; with `json` one JSON object a line
 */
#ifndef CLIENT_VERIFY_VERIFY_VIEW_H
#define CLIENT_VERIFY_VERIFY_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/verify.h"

struct cli_verify_view {
	bool json, terminal;
	bool line_is_open; /* the cursor stands behind a share */
	size_t counts[BM_PROOF_COUNT];
};

/* For bm_verify_options; `ctx` is the view. */
void cli_verify_object(void *ctx, const struct json_t *object);
void cli_verify_progress(void *ctx, const char *what, double share);

void cli_verify_result(
		struct cli_verify_view *view, struct json_t *report, enum bm_proof result);

/* Before anything else is printed. */
void cli_verify_close_line(struct cli_verify_view *view);

#endif
