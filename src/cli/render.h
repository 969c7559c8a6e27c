/*
 * render - the machine's JSON as text for people, within 100 columns
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

#define CLI_COLUMNS 100

/* The whole screen of `status`; the JSON is docs/status.md's. */
void cli_render_status(const json_t *status, bool colour, struct bm_strbuf *out);

/* Only the table of units (`service list`). */
void cli_render_units(const json_t *status, bool colour, struct bm_strbuf *out);

/* The table of migrations, an array of status. */
void cli_render_migrations(const json_t *migrations, bool colour, struct bm_strbuf *out);

/* What is to come for the migration called `name`, for `plan`. */
void cli_render_plan(const json_t *status, const char *name, struct bm_strbuf *out);

/* One finding of a preflight, and the evidence at its end. */
void cli_render_finding(const char *severity, const char *object, const char *why,
		const char *mend, struct bm_strbuf *out);
void cli_render_evidence(const json_t *evidence, struct bm_strbuf *out);

/* The colour of a word that stands for a state, wherever it comes from. */
enum cli_tint cli_tint_of(const char *word);

/* A number of milliseconds as a span into `out` (BM_CLOCK_TEXT_SIZE); "-" when it is null. */
const char *cli_span_of(const json_t *object, const char *member, char *out);

/* One event as one line. */
void cli_render_event(const json_t *event, bool colour, struct bm_strbuf *out);

/* "1,234,567" appended to `out`. */
void cli_render_number(int64_t number, struct bm_strbuf *out);

/*
 * Words of `text`, wrapped at CLI_COLUMNS and indented by `indent` from the second
 * line on; control characters become spaces. Ends with a newline.
 */
void cli_render_wrapped(const char *text, size_t column, size_t indent, struct bm_strbuf *out);

#endif
