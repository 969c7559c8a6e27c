/*
 * master - what is said to the master, whether it hears, and whether it works
 *
 * The master does one thing after another. While it validates syncs it hears nothing, for
 * seconds each on a slow host; what it was told meanwhile it does afterwards, all of it. So
 * little is said to it: nothing before its main loop, nothing while an answer is missing, and a
 * reload once for all. It is ended for silence only when nothing shows that it works: no line
 * of it, no statement of it under way in the control database, no processor time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"

/* It answers a ping within 0.3 s when it has nothing to do. A ping is lost when a tree
 * that a person started reads its syncs anew. */
#define PING_EVERY_MSEC 10000
#define PING_AGAIN_MSEC 10000
#define BUSY_MSEC 2000

/* Neither an answer nor a sign of work; while it connects to a silent database it may take
 * connect_timeout for each. Processor time alone, which an idle one uses too, counts less. */
#define SILENT_MSEC 45000
#define SILENT_LIMIT_MSEC (10 * 60 * 1000)

/* How often statements under way are asked for, once an answer is late. */
#define PROBE_MSEC 5000

#define STOPPED_LIMIT_MSEC 1500

/* A tree that a person started without syncs has no VAC, and never gets one; ours gets one when
 * the first sync is activated (serve.pl), so for it this is the last resort. */
#define VAC_LIMIT_MSEC 30000
#define VAC_OWN_LIMIT_MSEC (10 * 60 * 1000)

/* Of launch.pl; the number of syncs follows. */
static const char loop_line[] = "bucardo-machine: the master has entered its main loop with ";

/* Of serve.pl, each time that it activates one; the number of those that wait follows. */
static const char queue_line[] =
		"bucardo-machine: the master activates one sync after the other, ";

/* The sessions of MCP in the control database are the only ones of this role and name. */
static const char statements_sql[] =
		"SELECT 1 FROM pg_stat_activity WHERE datname = 'bucardo' AND usename = 'bucardo'"
		" AND state = 'active' AND pid <> pg_backend_pid() AND application_name ~* 'mcp' LIMIT 1";

/* ---- words ---- */

static void on_notified(void *ctx, const struct bm_result *result)
{
	(void)ctx;
	if (result->error != NULL) {
		bm_log(BM_LOG_WARN, BUCARDO_AREA,
				BM_FIELDS(bm_str("err", result->error->message)),
				"cannot send a notification to Bucardo");
	}
}

/*
 * A master without syncs does not listen to channel "bucardo", where the message is
 * the payload; to "bucardo_MESSAGE" a master listens only while it deems that message
 * useful. What comes in both ways at once it takes as one.
 */
static void send_message(struct bm_bucardo *bucardo, const char *message)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	char *channel = bm_format("bucardo_%s", message);

	bm_strbuf_puts(&sql, "NOTIFY bucardo, ");
	bm_quote_literal(&sql, message);
	bm_strbuf_puts(&sql, "; NOTIFY ");
	bm_quote_ident(&sql, channel);
	free(channel);
	bm_conn_query(bucardo->conn, bm_strbuf_text(&sql), NULL, 0, on_notified, NULL);
	bm_strbuf_finish(&sql);
}

static void ping(struct bm_bucardo *bucardo, uint64_t now)
{
	struct master *master = &bucardo->master;

	if (master->ping_msec == 0) {
		master->ping_msec = now;
	}
	master->asked_msec = now;
	send_message(bucardo, "mcp_ping");
}

bool master_is_busy(const struct bm_bucardo *bucardo, uint64_t now)
{
	const struct master *master = &bucardo->master;

	return bucardo->daemon.ready_msec == 0 || master->reload_msec != 0 ||
			(master->ping_msec != 0 && now - master->ping_msec >= BUSY_MSEC);
}

bool master_has_queue(const struct bm_bucardo *bucardo, uint64_t now)
{
	const struct master *master = &bucardo->master;

	return master->queue > 0 &&
			(now - master->sign_msec < SILENT_MSEC ||
					now - master->work_msec < SILENT_MSEC);
}

bool master_send(struct bm_bucardo *bucardo, const char *verb, const char *sync)
{
	uint64_t now = bm_clock_msec();

	if (master_is_busy(bucardo, now)) {
		return false;
	}
	char *message = bm_format("%s_sync_%s", verb, sync);
	send_message(bucardo, message);
	free(message);
	/* A kick takes it no time. */
	if (strcmp(verb, "kick") != 0 && bucardo->master.ping_msec == 0) {
		ping(bucardo, now);
	}
	return true;
}

bool master_reload(struct bm_bucardo *bucardo)
{
	uint64_t now = bm_clock_msec();

	if (master_is_busy(bucardo, now)) {
		return false;
	}
	bucardo->master.reload_msec = now;
	send_message(bucardo, "mcp_reload");
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		bucardo->evaluation.syncs[i].known_to_master = true;
	}
	return true;
}

/* ---- answers and signs ---- */

void master_forget(struct bm_bucardo *bucardo)
{
	uint64_t now = bm_clock_msec();

	bucardo->master = (struct master){.pong_msec = now,
			.received_msec = now,
			.sign_msec = now,
			.work_msec = now};
}

void master_answered(struct bm_bucardo *bucardo)
{
	struct master *master = &bucardo->master;

	/* A ping that was sent with the reload is answered before it. */
	if (master->reload_msec != 0 && master->ping_msec > master->reload_msec) {
		master->reload_msec = 0;
	}
	if (master->ping_msec != 0) {
		master->received_msec = master->ping_msec;
	}
	master->ping_msec = 0;
	master->pong_msec = master->sign_msec = bm_clock_msec();
}

void master_reloaded(struct bm_bucardo *bucardo)
{
	bucardo->master.reload_msec = 0;
	bucardo->master.sign_msec = bm_clock_msec();
}

/* "(PID) [TIME] MCP ...", of the process that we watch. */
static bool is_masters(const struct bm_bucardo *bucardo, const char *line)
{
	char prefix[32];
	int length = snprintf(prefix, sizeof(prefix), "(%d) ", (int)bucardo->daemon.pid);

	return strncmp(line, prefix, (size_t)length) == 0;
}

void master_spoke(struct bm_bucardo *bucardo, const char *line)
{
	uint64_t now = bm_clock_msec();

	if (strncmp(line, loop_line, strlen(loop_line)) == 0) {
		bucardo->daemon.loop_msec = now;
		bucardo->daemon.loop_syncs = strtoul(line + strlen(loop_line), NULL, 10);
	} else if (strncmp(line, queue_line, strlen(queue_line)) == 0) {
		bucardo->master.queue = strtoul(line + strlen(queue_line), NULL, 10);
	} else if (!is_masters(bucardo, line)) {
		return;
	}
	bucardo->master.sign_msec = now;
	bm_unit_progress(bucardo->unit);
}

static void on_statements(void *ctx, const struct bm_result *result)
{
	struct bm_bucardo *bucardo = ctx;

	bucardo->master.is_probing = false;
	if (result->error == NULL && result->row_count > 0) {
		bucardo->master.sign_msec = bm_clock_msec();
		bm_unit_progress(bucardo->unit);
	}
}

static void probe_statements(struct bm_bucardo *bucardo, uint64_t now)
{
	struct master *master = &bucardo->master;

	if (!master->is_probing && now - master->probed_msec >= PROBE_MSEC &&
			bm_conn_is_up(bucardo->conn)) {
		master->is_probing = true;
		master->probed_msec = now;
		bm_conn_query(bucardo->conn, statements_sql, NULL, 0, on_statements, bucardo);
	}
}

static void record_work(struct master *master, const struct bm_process *process, uint64_t now)
{
	if (process->cpu_ticks != master->cpu_ticks) {
		master->cpu_ticks = process->cpu_ticks;
		master->work_msec = now;
	}
}

void master_watch_start(struct bm_bucardo *bucardo, const struct bm_process *process)
{
	struct master *master = &bucardo->master;
	uint64_t now = bm_clock_msec();

	record_work(master, process, now);
	if (master->work_msec == now) {
		bm_unit_progress(bucardo->unit);
	}
	probe_statements(bucardo, now);
}

/* ---- trouble ---- */

static bool is_frozen(struct master *master, const struct bm_process *process, uint64_t now)
{
	if (process->state != 'T' && process->state != 't') {
		master->stopped_seen_msec = 0;
		return false;
	}
	if (master->stopped_seen_msec == 0) {
		master->stopped_seen_msec = now;
	}
	return now - master->stopped_seen_msec >= STOPPED_LIMIT_MSEC;
}

static void keep_asking(struct bm_bucardo *bucardo, uint64_t now)
{
	struct master *master = &bucardo->master;

	if (!bm_conn_is_up(bucardo->conn)) {
		master->ping_msec = 0;
		master->pong_msec = now;
	} else if (master->ping_msec == 0) {
		uint64_t since = master->reload_msec > master->pong_msec ? master->reload_msec
									 : master->pong_msec;
		uint64_t rest = master->reload_msec != 0 ? BUSY_MSEC : PING_EVERY_MSEC;
		if (now - since >= rest) {
			ping(bucardo, now);
		}
	} else if (now - master->asked_msec >= PING_AGAIN_MSEC) {
		ping(bucardo, now);
	}
}

static bool is_silent(struct bm_bucardo *bucardo, uint64_t now)
{
	const struct master *master = &bucardo->master;

	if (master->ping_msec == 0 || now - master->ping_msec < SILENT_MSEC) {
		return false;
	}
	probe_statements(bucardo, now);
	return now - master->sign_msec >= SILENT_LIMIT_MSEC ||
			(now - master->sign_msec >= SILENT_MSEC &&
					now - master->work_msec >= SILENT_MSEC);
}

static bool lacks_vac(struct bm_bucardo *bucardo, uint64_t now)
{
	bool serves = false;
	uint64_t limit = bucardo->daemon.loop_msec != 0 ? VAC_OWN_LIMIT_MSEC : VAC_LIMIT_MSEC;

	for (const struct children_member *m = bucardo->children.members; m != NULL;
			m = m->next) {
		serves = serves || m->role == BUCARDO_CTL;
	}
	if (!serves || children_has(bucardo, BUCARDO_VAC, "")) {
		bucardo->children.vac_seen_msec = now;
		return false;
	}
	return bucardo->daemon.idle_at_start &&
			now - bucardo->children.vac_seen_msec >= limit * bucardo->slowness;
}

const char *master_trouble(struct bm_bucardo *bucardo, uint64_t now)
{
	struct bm_process process;
	bool is_there = bm_process_read(bucardo->daemon.pid, &process, NULL) == 0;

	if (is_there) {
		record_work(&bucardo->master, &process, now);
	}
	keep_asking(bucardo, now);
	if (is_there && is_frozen(&bucardo->master, &process, now)) {
		return "the master is stopped by a signal (state T)";
	}
	if (is_silent(bucardo, now)) {
		return "the master answers no ping, and nothing shows that it works";
	}
	if (lacks_vac(bucardo, now)) {
		return "it began without syncs and has no VAC, so delta tables would grow";
	}
	return NULL;
}
