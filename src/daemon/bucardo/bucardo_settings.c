/*
 * bucardo_settings - limits on new databases and syncs, and a bound for syncrun
 *
 * Whatever a person adds gets what lets it survive: time limits in dbconn, and
 * checktime on syncs that run by themselves (one with autokick off is still
 * being copied: runs would get in the way of the copy). What a person set stays.
 *
 * bucardo.db and bucardo.sync have triggers that connect to the remote databases
 * from inside the control server. They are kept quiet with
 * session_replication_role, for the transaction only: nothing they check changes.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/processes/dbconn.h"
#include "daemon/bucardo/internal.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"

#define APPLY_EVERY_MSEC 10000
#define PRUNE_EVERY_MSEC 60000
#define PRUNE_BATCH_ROWS 5000

/* A person's open transaction may hold the rows: the next check tries again. */
static void on_applied(void *ctx, const struct bm_result *result)
{
	struct bm_bucardo *bucardo = ctx;

	bucardo->settings.busy = false;
	if (result->error != NULL) {
		bm_log(BM_LOG_WARN, BUCARDO_AREA,
				BM_FIELDS(bm_str("err", result->error->message)),
				"cannot put limits on databases and syncs");
	}
}

static bool add_updates(struct bm_bucardo *bucardo, const struct bm_result *result,
		struct bm_strbuf *sql)
{
	struct bm_strbuf merged = BM_STRBUF_INIT;
	size_t before = sql->length;

	for (size_t row = 0; row < result->row_count; row++) {
		const char *kind = bm_result_get(result, row, 0);
		const char *name = bm_result_get(result, row, 1);
		const char *value = bm_result_get(result, row, 2);

		bm_strbuf_clear(&merged);
		if (strcmp(kind, "sync") == 0) {
			bm_strbuf_printf(sql,
					"UPDATE bucardo.sync SET checktime = "
					"interval '%llu milliseconds' WHERE name = ",
					(unsigned long long)bucardo->options.checktime_msec);
		} else if (bucardo_dbconn_merge(value != NULL ? value : "", &merged)) {
			bm_strbuf_puts(sql, "UPDATE bucardo.db SET dbconn = ");
			bm_quote_literal(sql, bm_strbuf_text(&merged));
			bm_strbuf_puts(sql, " WHERE name = ");
		} else {
			continue;
		}
		bm_quote_literal(sql, name);
		bm_strbuf_puts(sql, "; ");
		bucardo_event(bucardo, BM_BUCARDO_NOTE, "put %s on %s '%s'",
				kind[0] == 's' ? "a checktime" : "connection time limits",
				kind[0] == 's' ? "sync" : "database", name);
	}
	bm_strbuf_finish(&merged);
	return sql->length > before;
}

static void on_read(void *ctx, const struct bm_result *result)
{
	struct bm_bucardo *bucardo = ctx;
	struct bm_strbuf sql = BM_STRBUF_INIT;

	if (result->error != NULL) {
		on_applied(ctx, result);
		return;
	}
	/* Statements sent together are one transaction, which ends with an error too: a
	 * BEGIN of ours would be left open by it, and refuse all that comes after. */
	bm_strbuf_puts(&sql,
			"SET LOCAL session_replication_role = replica; "
			"SET LOCAL lock_timeout = '2s'; ");
	if (add_updates(bucardo, result, &sql)) {
		bm_conn_query(bucardo->conn, bm_strbuf_text(&sql), NULL, 0, on_applied,
				bucardo);
	} else {
		bucardo->settings.busy = false;
	}
	bm_strbuf_finish(&sql);
}

/* What lacks something is few or nothing; the merge is done here, not in SQL. */
static void apply(struct bm_bucardo *bucardo)
{
	const char *sql = bucardo->options.checktime_msec > 0
			? "SELECT 'db', name, dbconn FROM bucardo.db WHERE dbtype = 'postgres'"
			  " UNION ALL SELECT 'sync', name, NULL FROM bucardo.sync"
			  " WHERE checktime IS NULL AND autokick"
			: "SELECT 'db', name, dbconn FROM bucardo.db WHERE dbtype = 'postgres'";

	bucardo->settings.busy = true;
	bm_conn_query(bucardo->conn, sql, NULL, 0, on_read, bucardo);
	listen_begin(bucardo);
}

/* clang-format off */
static const char prune_sql[] =
#include "daemon/bucardo/sql/prune_runs.sql.inc"
;
/* clang-format on */

static void prune(struct bm_bucardo *bucardo)
{
	char keep[16], most[16];
	const char *const params[] = {keep, most};

	snprintf(keep, sizeof(keep), "%u", bucardo->options.syncrun_keep_rows);
	snprintf(most, sizeof(most), "%d", PRUNE_BATCH_ROWS);
	bucardo->settings.busy = true;
	bm_conn_query(bucardo->conn, prune_sql, params, BM_COUNT_OF(params), on_applied,
			bucardo);
}

void settings_observe(struct bm_bucardo *bucardo, const struct bm_observation *observation)
{
	struct settings *settings = &bucardo->settings;
	uint64_t now = bm_clock_msec();

	if (settings->busy || !bm_conn_is_up(bucardo->conn)) {
		return;
	}
	bool new_rows = settings->db_count != observation->db_count ||
			settings->sync_count != observation->sync_count;
	if (new_rows || settings->applied_msec == 0 ||
			now - settings->applied_msec >= APPLY_EVERY_MSEC) {
		settings->db_count = observation->db_count;
		settings->sync_count = observation->sync_count;
		settings->applied_msec = now;
		apply(bucardo);
	} else if (settings->pruned_msec == 0 ||
			now - settings->pruned_msec >= PRUNE_EVERY_MSEC) {
		settings->pruned_msec = now;
		prune(bucardo);
	}
}
