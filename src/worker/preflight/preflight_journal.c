/*
 * A control database that was lost: the journal knows nothing of the migration, and yet
 * the two databases show that it was begun. What they show is found again by each
 * phase; what only the journal knew is gone, and a person has to hear of it.
 */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/syncs.h"
#include "worker/preflight/preflight.h"

static const char lost[] =
		". Each phase finds what is done and goes on from there. Not known any more: when "
		"phases began and ended, the events, whether somebody had paused it, and how far a "
		"`migrate --until` went: run_until of machine.yaml counts";

/* 1: it has; 0: it has not; -1: nobody can say, as without a control database. */
static int journal_has_it(struct bm_phase *phase)
{
	struct bm_error ignored = BM_ERROR_INIT;
	const char *const name[] = {phase->request.name};
	PGresult *rows = bm_phase_ask(phase, BM_SIDE_CONTROL,
			"SELECT 1 FROM machine.phase WHERE migration = $1"
			" AND phase <> 'preflight' AND state <> 'pending' LIMIT 1",
			1, name, &ignored);
	int has = rows == NULL ? -1 : PQntuples(rows) > 0;

	PQclear(rows);
	return has;
}

/* The first cell, or "" when there is no such table, or no row in it. */
static void ask_text(struct bm_phase *phase, enum bm_side side, const char *table,
		const char *sql, char *out, size_t size)
{
	struct bm_error ignored = BM_ERROR_INIT;
	const char *const params[] = {table};
	PGresult *there = bm_phase_ask(
			phase, side, "SELECT to_regclass($1) IS NOT NULL", 1, params, &ignored);
	bool exists = there != NULL && PQgetvalue(there, 0, 0)[0] == 't';
	PGresult *rows = exists ? bm_phase_ask(phase, side, sql, 0, NULL, &ignored) : NULL;

	snprintf(out, size, "%s",
			rows != NULL && PQntuples(rows) > 0 ? PQgetvalue(rows, 0, 0) : "");
	PQclear(there);
	PQclear(rows);
}

void bm_preflight_journal(struct bm_phase *phase, bm_preflight_find *find, void *ctx)
{
	char ledger[300], captured[200], why[1200], hint[120];

	if (journal_has_it(phase) != 0) {
		return;
	}
	ask_text(phase, BM_SIDE_DESTINATION, "bucardo_machine.chunk",
			"SELECT 'the ledger on the destination, of ' || date_trunc('second', begun) ||"
			" ', has ' || (SELECT count(*) FILTER (WHERE done IS NOT NULL) || ' of ' ||"
			" count(*) FROM bucardo_machine.chunk) || ' chunks' || CASE WHEN finished"
			" IS NOT NULL THEN ' and all indexes' ELSE '' END FROM bucardo_machine.clone",
			ledger, sizeof(ledger));
	ask_text(phase, BM_SIDE_SOURCE, "bucardo.machine_syncs",
			"SELECT 'changes of the source are captured for ' || string_agg(sync, ', ')"
			" FROM bucardo.machine_syncs WHERE sync ~ ('^' ||"
			" current_setting('bucardo_machine.migration') || '" BM_SYNC_SUFFIXES
			"') HAVING count(*) > 0",
			captured, sizeof(captured));
	if (ledger[0] == '\0' && captured[0] == '\0') {
		return;
	}
	snprintf(why, sizeof(why),
			"the control database knows nothing of this migration, and yet it was begun: "
			"%s%s%s%s",
			ledger, ledger[0] != '\0' && captured[0] != '\0' ? "; " : "", captured,
			lost);
	snprintf(hint, sizeof(hint),
			"nothing; or `bucardo-machine pause %s`, if it had been paused",
			phase->request.name);
	find(ctx, BM_SEVERITY_DEGRADES, "journal", why, hint);
	bm_report_note("%s", why);
}
