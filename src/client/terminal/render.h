/*
 * render - the machine's JSON as text for people, within the width of the screen
 *
 * Pure: JSON in, text out. Whatever comes from elsewhere (server messages,
 * queries) is made harmless for a terminal first.
 */
#ifndef CLIENT_TERMINAL_RENDER_H
#define CLIENT_TERMINAL_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "client/terminal/table.h"

/* How much of it: all; of syncs, databases and units only what is wrong; of these only the
 * names; a line a migration, and what is wrong with it; of each kind of that one thing; the
 * worst thing alone. */
enum cli_detail { CLI_ANY, CLI_ALL, CLI_WRONG, CLI_NAMES, CLI_BRIEF, CLI_LEAST, CLI_WORST };

struct cli_view {
	bool colour;
	enum cli_detail detail; /* CLI_ANY: as much as there is room for */
	size_t rows;		/* of the screen; 0: nobody knows */
	bool is_fixed;		/* it does not scroll: what is beyond its rows is not seen */
};

/* The whole screen of `status`; the JSON is docs/status.md's. */
void cli_render_status(
		const json_t *status, const struct cli_view *view, struct bm_strbuf *out);

/* Arrays of status as tables. */
void cli_render_unit_list(const json_t *units, bool colour, struct bm_strbuf *out);
void cli_render_databases(const json_t *databases, bool colour, struct bm_strbuf *out);
void cli_render_syncs(const json_t *syncs, bool colour, struct bm_strbuf *out);

/* Only the table of units (`service list`). */
void cli_render_units(const json_t *status, bool colour, struct bm_strbuf *out);

/* The table of migrations, an array of status, as CLI_ALL has it, or CLI_BRIEF and what comes
 * after it. */
void cli_render_migrations(const json_t *migrations, enum cli_detail detail, bool colour,
		struct bm_strbuf *out);

/* Its changes are applied as they come. */
bool cli_migration_is_live(const json_t *migration);

/* Its syncs do not apply what waits. */
bool cli_migration_ails(const json_t *migration);

/* Notes under the row of a migration: how far its phase is; what is NOT in step, and the same
 * on one line; its member `reconcile`. */
void cli_render_progress(struct cli_table *table, const json_t *migration);
void cli_render_apart(struct cli_table *table, const json_t *migration);
void cli_render_apart_brief(struct cli_table *table, const json_t *migration, size_t most);
void cli_render_reconcile(struct cli_table *table, const json_t *reconcile);
void cli_render_verify(struct cli_table *table, const json_t *verify);

/* How many things of it are NOT in step. */
size_t cli_apart_count(const json_t *migration);

/* Whole seconds, at least one, into `span`: what changes ten times a second nobody can read. */
const char *cli_seconds(const json_t *msec, char span[BM_CLOCK_TEXT_SIZE]);

/* What is to come for the migration called `name`, for `plan`. */
void cli_render_plan(const json_t *status, const char *name, struct bm_strbuf *out);

/* What a migration would do: sizes, time, locks, what it leaves (docs/worker-protocol.md). */
void cli_render_outlook(const json_t *plan, struct bm_strbuf *out);

/* The findings of a preflight, an array; equal ones of several objects are one paragraph. And
 * the evidence at its end, in a sentence. */
void cli_render_findings(const json_t *findings, struct bm_strbuf *out);

/* How many paragraphs that are. */
size_t cli_finding_groups(const json_t *findings);

/* Why a status has no syncs; nothing where it has some. */
void cli_render_no_syncs(const json_t *status, struct bm_strbuf *out);
void cli_render_evidence(const json_t *evidence, struct bm_strbuf *out);

/* What a cutover, a failback or a check of one found and did; and what came of it, with the
 * error and hint of one that was not done, "" else. */
void cli_render_cutover(const json_t *evidence, bool colour, struct bm_strbuf *out);
void cli_render_cutover_result(const char *name, const json_t *evidence, const char *error,
		const char *hint, struct bm_strbuf *out);

/* Who was not told of changes of state, and why: a sentence; nothing where all were. */
void cli_receivers_sentence(const json_t *receivers, struct bm_strbuf *out);

/* What the doctor found of a migration: its evidence (docs/doctor.md). */
void cli_render_doctor(
		const char *name, const json_t *evidence, bool colour, struct bm_strbuf *out);

/* The same under the row of a migration, the worst first, what is but a note only counted; and
 * `most` of it on two lines each. */
void cli_render_ills(struct cli_table *table, const json_t *migration);
void cli_render_ills_brief(struct cli_table *table, const json_t *migration, size_t most);

/* Findings of a migration that are more than notes, or only those that stop it. */
size_t cli_ill_count(const json_t *migration, bool only_stops);
/* Whether any migration of this status has one that is more than a note. */
bool cli_has_ills(const json_t *status);

/* A cutover or failback under way, or the last one when it was not done. */
void cli_render_changing(struct cli_table *table, const json_t *migration);

/* One event as one line. */
void cli_render_event(const json_t *event, bool colour, struct bm_strbuf *out);

#endif
