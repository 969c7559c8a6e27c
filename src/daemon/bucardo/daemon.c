/*
 * daemon - the Bucardo tree as one unit
 *
 * The unit is the master (MCP); what else belongs to the tree ends with it. It is
 * "exited" only when every process of the tree is gone, and it is started only
 * when none is left, so there are never two trees on one database.
 *
 * A stop file ends a tree in an orderly way. One that we did not write is a
 * person's `bucardo stop`; a pid file that we did not cause is a person's
 * `bucardo start`. Both are respected: the owner is told, and decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/bucardo/internal.h"
#include "daemon/bucardo/launch.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/strbuf.h"

/* How soon to look again, and for how long at a pid file of unknown origin. */
#define PULSE_MSEC 50
#define LEARN_LIMIT_MSEC 30000

/* What a sync's CTL has after the master has entered its main loop, or after another has come.
 */
#define SERVED_LIMIT_MSEC 15000

static void enter(struct bm_bucardo *bucardo, enum daemon_phase phase)
{
	bucardo->daemon.phase = phase;
	bucardo->daemon.since_msec = bm_clock_msec();
}

static void beat(struct bm_bucardo *bucardo, uint64_t msec)
{
	bm_timer_arm(bucardo->daemon.pulse, msec);
}

/* ---- starting ---- */

static void on_master_exit(void *ctx, pid_t pid, int status)
{
	struct bm_bucardo *bucardo = ctx;
	struct daemon *daemon = &bucardo->daemon;

	if (pid != daemon->pid) {
		return;
	}
	daemon->exit_status = status;
	daemon->pid = 0;
	daemon->ready_msec = 0;
	bm_pidfd_watch_close(daemon->watch);
	daemon->watch = NULL;
	enter(bucardo, DAEMON_ENDING);
	/* Of a tree without its master nothing good comes: it replicates nothing, and
	 * its unfinished run holds locks. In a stop a run may end in peace. */
	bool orderly = daemon->stopping || daemon->operator_stop;
	tree_signal(bucardo->piddir, orderly ? SIGTERM : SIGKILL,
			orderly ? BUCARDO_VAC : BUCARDO_ROLE_COUNT);
	beat(bucardo, 1);
}

static void on_adopted_exit(void *ctx, pid_t pid)
{
	on_master_exit(ctx, pid,
			0); /* the status of a process that is no child stays unknown */
}

static void forget_past(struct daemon *daemon)
{
	daemon->operator_stop = false;
	daemon->lost_database = false;
	daemon->last_words[0] = '\0';
	daemon->ready_msec = 0;
	daemon->loop_msec = 0;
	daemon->loop_syncs = 0;
	daemon->served = 0;
	daemon->served_msec = 0;
	daemon->begun_msec = bm_clock_msec();
	daemon->exit_status = 0;
}

static int start_master(struct bm_bucardo *bucardo, struct bm_error *err)
{
	struct daemon *daemon = &bucardo->daemon;

	if (unlink(bucardo->stop_file) != 0 && errno != ENOENT) {
		return bm_error_set(err, BM_ERR_IO, "cannot remove the stop file '%s': %m",
				bucardo->stop_file);
	}
	daemon->own_stop_file = false;
	int fd = output_open_pipe(bucardo, err);
	if (fd < 0) {
		return -1;
	}
	forget_past(daemon);
	master_forget(bucardo);
	daemon->pid = launch_master(bucardo->loop, &bucardo->options, bucardo->piddir, fd,
			on_master_exit, bucardo, err);
	close(fd);
	if (daemon->pid < 0) {
		daemon->pid = 0;
		return -1;
	}
	return 0;
}

static void step_clearing(struct bm_bucardo *bucardo)
{
	struct bm_error err = BM_ERROR_INIT;
	int left = bm_bucardo_clear_leftovers(bucardo, &err);

	if (left > 0) {
		beat(bucardo, PULSE_MSEC);
		return;
	}
	if (left == 0 && start_master(bucardo, &err) == 0) {
		enter(bucardo, DAEMON_RUNNING);
		beat(bucardo, PULSE_MSEC);
		return;
	}
	enter(bucardo, DAEMON_ABSENT);
	bm_log(BM_LOG_WARN, BUCARDO_AREA, BM_FIELDS(bm_str("err", err.message)),
			"cannot start Bucardo");
	bm_unit_handle(bucardo->unit, BM_UNIT_SPAWN_FAILED);
}

static int host_spawn(void *ctx, struct bm_error *err)
{
	struct bm_bucardo *bucardo = ctx;

	if (bucardo->daemon.phase == DAEMON_RUNNING || bucardo->daemon.phase == DAEMON_ENDING) {
		return bm_error_set(err, BM_ERR_TRANSIENT, "a Bucardo tree is still there");
	}
	bucardo->daemon.stopping = false;
	enter(bucardo, DAEMON_CLEARING);
	beat(bucardo, 1);
	return 0;
}

/* ---- becoming ready ---- */

static bool read_master(pid_t pid, struct bm_process *process)
{
	return pid > 0 && bm_process_read(pid, process, NULL) == 0 && process->state != 'Z';
}

static void record_ready(struct bm_bucardo *bucardo, const struct bm_process *process)
{
	struct daemon *daemon = &bucardo->daemon;

	daemon->ready_msec = bm_clock_msec();
	daemon->refusal[0] = '\0';
	daemon->start_time = process->start_time;
	daemon->idle_at_start = bucardo_title_syncs(process->title)[0] == '\0';
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		bucardo->evaluation.syncs[i].known_to_master = true;
		bucardo->evaluation.syncs[i].paused = false;
	}
	children_rescan(bucardo);
}

static size_t served_count(const struct bm_bucardo *bucardo)
{
	size_t count = 0;

	for (const struct children_member *m = bucardo->children.members; m != NULL;
			m = m->next) {
		count += m->role == BUCARDO_CTL && m->watch != NULL;
	}
	return count;
}

/*
 * The master tells how many syncs it found sound as it enters its main loop, where it starts
 * a CTL for each. (Its title names them, but is cut when they are many.) One that does not
 * come is the sync's trouble.
 */
static bool is_ready(struct bm_bucardo *bucardo, const struct bm_process *process)
{
	struct daemon *daemon = &bucardo->daemon;
	uint64_t now = bm_clock_msec();
	size_t served = served_count(bucardo);

	if (served > daemon->served || daemon->served_msec < daemon->loop_msec) {
		daemon->served_msec = now;
		bm_unit_progress(bucardo->unit);
	}
	daemon->served = served;
	return daemon->loop_msec != 0 && bucardo_title_syncs(process->title) != NULL &&
			(served >= daemon->loop_syncs ||
					now - daemon->served_msec >=
							SERVED_LIMIT_MSEC * bucardo->slowness);
}

static void step_running(struct bm_bucardo *bucardo)
{
	struct daemon *daemon = &bucardo->daemon;
	struct bm_process process;

	if (daemon->ready_msec != 0 || !read_master(daemon->pid, &process)) {
		return;
	}
	children_rescan(bucardo);
	if (!is_ready(bucardo, &process)) {
		master_watch_start(bucardo, &process);
		beat(bucardo, PULSE_MSEC);
		return;
	}
	record_ready(bucardo, &process);
	bm_unit_handle(bucardo->unit, BM_UNIT_BECAME_READY);
}

/* ---- a person's start ---- */

static bool find_master(void *ctx, const struct tree_file *file)
{
	if (file->role == BUCARDO_MCP) {
		*(pid_t *)ctx = file->pid;
		return false;
	}
	return true;
}

static pid_t master_of_file(const struct bm_bucardo *bucardo)
{
	pid_t pid = 0;

	tree_each_file(bucardo->piddir, find_master, &pid);
	return pid;
}

static int watch_adopted(struct bm_bucardo *bucardo, const struct bm_process *process)
{
	struct daemon *daemon = &bucardo->daemon;

	if (bm_child_watch(bucardo->loop, process->pid, on_master_exit, bucardo, NULL) == 0) {
		return 0;
	}
	daemon->watch = bm_pidfd_watch_create(bucardo->loop, process->pid, process->start_time,
			on_adopted_exit, bucardo, NULL);
	return daemon->watch != NULL ? 0 : -1;
}

/* The pid file is written twice, by a process that ends and by the one that stays;
 * only the latter ever lists its syncs. */
static void step_learning(struct bm_bucardo *bucardo)
{
	struct daemon *daemon = &bucardo->daemon;
	struct bm_process process;
	pid_t pid = master_of_file(bucardo);

	if (pid == 0 || bm_clock_msec() - daemon->since_msec > LEARN_LIMIT_MSEC) {
		enter(bucardo, DAEMON_ABSENT);
		return;
	}
	if (!read_master(pid, &process) || process.uid != geteuid() ||
			bucardo_title_syncs(process.title) == NULL ||
			watch_adopted(bucardo, &process) != 0) {
		beat(bucardo, PULSE_MSEC);
		return;
	}
	forget_past(daemon);
	master_forget(bucardo);
	daemon->pid = pid;
	daemon->stopping = false;
	daemon->own_stop_file = false;
	enter(bucardo, DAEMON_RUNNING);
	record_ready(bucardo, &process);
	bucardo_event(bucardo, BM_BUCARDO_OPERATOR_STARTED,
			"started by hand with `bucardo start` (pid %d)", (int)pid);
	bm_unit_handle(bucardo->unit, BM_UNIT_ADOPTED);
	bm_unit_handle(bucardo->unit, BM_UNIT_BECAME_READY);
	/* It runs without what launch.c fixes. */
	if (bucardo->declared.count > 0) {
		bucardo_event(bucardo, BM_BUCARDO_NOTE,
				"it is as packaged, and declared migrations need the machine's "
				"own, which takes its place");
		bm_unit_restart(bucardo->unit, "started by hand");
	}
}

/* ---- ending ---- */

static void write_stop_file(struct bm_bucardo *bucardo)
{
	static const char text[] = "Stopped by bucardo-machine\n";
	int fd = open(bucardo->stop_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		return; /* a person's is there already and does the same */
	}
	bucardo->daemon.own_stop_file = true;
	if (write(fd, text, sizeof(text) - 1) < 0) {
		/* its presence is what counts */
	}
	close(fd);
}

static void host_stop(void *ctx, enum bm_stop_mode mode)
{
	struct bm_bucardo *bucardo = ctx;
	struct daemon *daemon = &bucardo->daemon;

	daemon->stopping = true;
	if (daemon->phase == DAEMON_CLEARING || daemon->phase == DAEMON_LEARNING ||
			daemon->phase == DAEMON_ABSENT) {
		enter(bucardo, DAEMON_ENDING); /* nothing was started: report the end */
	}
	if (mode == BM_STOP_GENTLY) {
		write_stop_file(bucardo);
		tree_signal(bucardo->piddir, SIGCONT, BUCARDO_ROLE_COUNT);
	} else {
		tree_signal(bucardo->piddir, mode == BM_STOP_FIRMLY ? SIGTERM : SIGKILL,
				BUCARDO_ROLE_COUNT);
		/* A launcher that has not got its title yet is known by its pid only. */
		if (daemon->pid > 0) {
			bm_process_signal(daemon->pid, 0,
					mode == BM_STOP_FIRMLY ? SIGTERM : SIGKILL, NULL);
		}
	}
	if (daemon->phase == DAEMON_ENDING) {
		beat(bucardo, 1);
	}
}

static void step_ending(struct bm_bucardo *bucardo)
{
	struct daemon *daemon = &bucardo->daemon;
	bool orderly = daemon->stopping || daemon->operator_stop;

	if (tree_count(bucardo->piddir) > 0) {
		/* An operator's stop has no unit that gets firm with it. */
		if (!orderly ||
				(!daemon->stopping &&
						bm_clock_msec() - daemon->since_msec > 10000)) {
			tree_signal(bucardo->piddir, SIGKILL, BUCARDO_ROLE_COUNT);
		}
		beat(bucardo, PULSE_MSEC);
		return;
	}
	tree_remove_files(bucardo->piddir);
	if (daemon->own_stop_file) {
		unlink(bucardo->stop_file);
		daemon->own_stop_file = false;
	}
	daemon->stopping = false;
	enter(bucardo, DAEMON_ABSENT);
	children_rescan(bucardo);
	/* In a stop its words tell only how the stop went by. */
	bm_unit_exited(bucardo->unit, daemon->exit_status, orderly ? "" : daemon->last_words,
			daemon->lost_database || orderly);
}

void daemon_pulse(void *ctx)
{
	static void (*const steps[])(struct bm_bucardo * bucardo) = {
			[DAEMON_ABSENT] = NULL,
			[DAEMON_LEARNING] = step_learning,
			[DAEMON_CLEARING] = step_clearing,
			[DAEMON_RUNNING] = step_running,
			[DAEMON_ENDING] = step_ending,
	};
	struct bm_bucardo *bucardo = ctx;

	if (steps[bucardo->daemon.phase] != NULL) {
		steps[bucardo->daemon.phase](bucardo);
	}
}

/* ---- hands of a person ---- */

/* "bucardo stop REASON" leaves "DATE | stop  | REASON" in the reason file. */
static void report_operator_stop(struct bm_bucardo *bucardo)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	const char *reason = "";

	bm_file_load(bucardo->reason_file, 4096, &text, NULL);
	const char *found = strstr(bm_strbuf_text(&text), "| stop  |");
	if (found != NULL) {
		reason = found + strlen("| stop  |");
		reason += strspn(reason, " ");
	}
	int length = (int)strcspn(reason, "\n");
	bucardo_event(bucardo, BM_BUCARDO_OPERATOR_STOPPED, "`bucardo stop` by hand%s%.*s",
			length > 0 ? ": " : "", length, reason);
	bm_strbuf_finish(&text);
}

void daemon_piddir_changed(struct bm_bucardo *bucardo)
{
	struct daemon *daemon = &bucardo->daemon;
	bool stop_file = access(bucardo->stop_file, F_OK) == 0;

	if (daemon->phase == DAEMON_RUNNING && stop_file && !daemon->own_stop_file &&
			!daemon->stopping && !daemon->operator_stop) {
		daemon->operator_stop = true;
		report_operator_stop(bucardo);
	}
	if (daemon->phase == DAEMON_ABSENT && !stop_file && master_of_file(bucardo) != 0) {
		enter(bucardo, DAEMON_LEARNING);
		beat(bucardo, PULSE_MSEC);
	}
}

/* ---- the unit's clock ---- */

static void host_arm(void *ctx, uint64_t msec)
{
	struct bm_bucardo *bucardo = ctx;

	if (msec == 0) {
		bm_timer_disarm(bucardo->daemon.timer);
	} else {
		bm_timer_arm(bucardo->daemon.timer, msec);
	}
}

static uint64_t host_now(void *ctx)
{
	(void)ctx;
	return bm_clock_msec();
}

const struct bm_unit_host bucardo_unit_host = {
		.spawn = host_spawn, .stop = host_stop, .arm = host_arm, .now_msec = host_now};

void daemon_close(struct bm_bucardo *bucardo)
{
	struct daemon *daemon = &bucardo->daemon;

	if (daemon->pid > 0) {
		bm_child_forget(bucardo->loop, daemon->pid);
	}
	bm_pidfd_watch_close(daemon->watch);
	bm_timer_close(daemon->timer);
	bm_timer_close(daemon->pulse);
}

int bm_bucardo_clear_leftovers(struct bm_bucardo *bucardo, struct bm_error *err)
{
	if (bucardo->daemon.phase == DAEMON_RUNNING) {
		return bm_error_set(err, BM_ERR_INTERNAL, "Bucardo runs and is wanted");
	}
	size_t left = tree_signal(bucardo->piddir, SIGKILL, BUCARDO_ROLE_COUNT);
	if (left > 0) {
		bm_log(BM_LOG_INFO, BUCARDO_AREA, NULL,
				"killing %zu processes of an earlier Bucardo", left);
		return 1;
	}
	tree_remove_files(bucardo->piddir);
	return 0;
}
