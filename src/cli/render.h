/*
 * render - the machine's JSON as text for people, within the width of the screen
 *
 * Pure: JSON in, text out. Whatever comes from elsewhere (server messages,
 * queries) is made harmless for a terminal first.
 */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include <jansson.h>
#include <stdbool.h>

#include "bucardo_machine/strbuf.h"
#include "cli/table.h"

/* The whole screen of `status`; the JSON is docs/status.md's. */
void cli_render_status(const json_t *status, bool colour, struct bm_strbuf *out);

/* Only the table of units (`service list`). */
void cli_render_units(const json_t *status, bool colour, struct bm_strbuf *out);

/* The table of migrations, an array of status. */
void cli_render_migrations(const json_t *migrations, bool colour, struct bm_strbuf *out);

/* Notes under the row of a migration: its member `tending`. */
void cli_render_tending(struct cli_table *table, const json_t *tending);

/* What is to come for the migration called `name`, for `plan`. */
void cli_render_plan(const json_t *status, const char *name, struct bm_strbuf *out);

/* What a migration would do: sizes, time, locks, what it leaves (docs/worker-protocol.md). */
void cli_render_outlook(const json_t *plan, struct bm_strbuf *out);

/* One finding of a preflight, and the evidence at its end. */
void cli_render_finding(const char *severity, const char *object, const char *why,
		const char *mend, struct bm_strbuf *out);
void cli_render_evidence(const json_t *evidence, struct bm_strbuf *out);

/* One event as one line. */
void cli_render_event(const json_t *event, bool colour, struct bm_strbuf *out);

#endif
