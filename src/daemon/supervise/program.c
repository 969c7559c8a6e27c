/*
 * Units that are one foreground child of ours: the host of a unit that spawns it,
 * streams its output to the log, asks it whether it is ready, and signals it.
 * The child leads a session of its own; what it leaves in its process group when it
 * ends is killed, so that a restart finds its ports and files free.
 */
#include "bucardo_machine/supervise.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/spawn.h"
#include "base/process/output.h"
#include "daemon/supervise/probe.h"

/* A probe's answer after this long is worth nothing. */
#define PROBE_LIMIT_MSEC 5000

/* Once ready, a command is asked this much more rarely ... */
#define READY_PROBE_FACTOR 10
/* ... and has to fail this often in a row before the unit counts as not answering. */
#define READY_PROBE_FAILURES 3

struct bm_program {
	struct bm_loop *loop;
	struct bm_program_spec spec;
	struct bm_unit *unit;
	void (*changed)(void *ctx, struct bm_unit *unit);
	void *ctx;
	struct bm_timer *unit_timer, *probe_timer;
	struct bm_probe *probe;
	unsigned probe_failures;
	struct bm_output *output;   /* of the present child, or the one that ended last */
	struct bm_output *leftover; /* of the child before it, while somebody has its pipe */
	struct bm_strbuf tail;	    /* the end of what the present child printed */
	char unready_why[256];	    /* the last probe's answer; "" none, or it was good */
	pid_t pid;		    /* 0: not running */
};

/* ---- readiness ---- */

static void on_probe_timer(void *ctx)
{
	struct bm_program *program = ctx;
	const struct bm_program_spec *spec = &program->spec;

	switch (spec->probe) {
	case BM_PROBE_NONE:
		bm_unit_handle(program->unit, BM_UNIT_BECAME_READY);
		break;
	case BM_PROBE_TCP:
		bm_probe_ask_tcp(program->probe, spec->probe_tcp, PROBE_LIMIT_MSEC);
		break;
	case BM_PROBE_EXEC:
		bm_probe_ask_exec(program->probe, spec->probe_argv, spec->env, spec->cwd,
				PROBE_LIMIT_MSEC);
		break;
	case BM_PROBE_CALLBACK:
		break;
	}
}

/*
 * Once ready, a port is not asked again: through a tunnel each question would be a
 * connection to somebody's database. The death of the program is seen anyway.
 */
static void ask_again(struct bm_program *program, bool is_ready)
{
	uint64_t interval = program->spec.probe_interval_msec;

	if (!is_ready) {
		bm_timer_arm(program->probe_timer, interval);
	} else if (program->spec.probe == BM_PROBE_EXEC) {
		bm_timer_arm(program->probe_timer, interval * READY_PROBE_FACTOR);
	}
}

static void on_answer(void *ctx, bool ready, const char *why)
{
	struct bm_program *program = ctx;
	bool was_ready = bm_unit_state(program->unit) == BM_UNIT_READY;

	bm_text_copy(program->unready_why, sizeof(program->unready_why), ready ? "" : why);
	program->probe_failures = ready ? 0 : program->probe_failures + 1;
	bool is_ready = ready || (was_ready && program->probe_failures < READY_PROBE_FAILURES);
	ask_again(program, is_ready);
	if (is_ready != was_ready) { /* last: the unit's owner may close the program */
		bm_unit_handle(program->unit,
				is_ready ? BM_UNIT_BECAME_READY : BM_UNIT_LOST_READY);
	}
}

void bm_program_ready(struct bm_program *program, bool ready)
{
	bm_unit_handle(program->unit, ready ? BM_UNIT_BECAME_READY : BM_UNIT_LOST_READY);
}

static void stop_probing(struct bm_program *program)
{
	bm_timer_disarm(program->probe_timer);
	bm_probe_cancel(program->probe);
	program->probe_failures = 0;
}

/* ---- the unit's host ---- */

static void on_output_end(void *ctx, struct bm_output *output)
{
	struct bm_program *program = ctx;

	if (program->output == output) {
		program->output = NULL;
	} else {
		program->leftover = NULL;
	}
}

/* The last line that it printed, if it ended by itself and badly; or why it was never ready. */
static void print_why(const struct bm_program *program, int status, char *out, size_t size)
{
	const char *text = bm_strbuf_text(&program->tail);
	size_t length = program->tail.length;

	while (length > 0 && text[length - 1] == '\n') {
		length--;
	}
	const char *newline = memrchr(text, '\n', length);
	const char *line = newline != NULL ? newline + 1 : text;
	int line_length = (int)(text + length - line);

	out[0] = '\0';
	if (program->unready_why[0] != '\0') {
		snprintf(out, size, "its probe: %s", program->unready_why);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && line_length > 0) {
		snprintf(out, size, "it said: %.*s", line_length, line);
	}
}

static void on_exit_of_child(void *ctx, pid_t pid, int status)
{
	struct bm_program *program = ctx;

	char why[512];

	program->pid = 0;
	stop_probing(program);
	kill(-pid, SIGKILL);
	bm_output_read(program->output);
	print_why(program, status, why, sizeof(why));
	bm_unit_exited(program->unit, status, why, false); /* last: it may close the program */
}

static int spawn_child(void *ctx, struct bm_error *err)
{
	struct bm_program *program = ctx;
	const struct bm_program_spec *spec = &program->spec;
	int write_fd;

	bm_strbuf_clear(&program->tail);
	program->unready_why[0] = '\0';
	/* The last words of the child before may still be unread; older ones are not. */
	if (program->output != NULL) {
		bm_output_close(program->leftover);
		program->leftover = program->output;
	}
	program->output = bm_output_open(program->loop, spec->name, &program->tail,
			on_output_end, program, &write_fd, err);
	if (program->output == NULL) {
		return -1;
	}
	struct bm_spawn spawn = {
			.argv = spec->argv,
			.env = spec->env,
			.cwd = spec->cwd,
			.stdin_fd = -1,
			.stdout_fd = write_fd,
			.stderr_fd = write_fd,
			.death_signal = spec->death_signal,
	};
	pid_t pid = bm_spawn(program->loop, &spawn, on_exit_of_child, program, err);
	close(write_fd);
	if (pid < 0) {
		return -1;
	}
	program->pid = pid;
	bm_timer_arm(program->probe_timer, 0);
	return 0;
}

static void stop_child(void *ctx, enum bm_stop_mode mode)
{
	struct bm_program *program = ctx;
	struct bm_error ignored;

	stop_probing(program);
	if (program->pid == 0) {
		return;
	}
	/* Unreaped, so the number is still its. A failure meets the next, harder stage. */
	if (mode == BM_STOP_KILL) {
		kill(-program->pid, SIGKILL);
	}
	bm_process_signal(program->pid, 0,
			mode == BM_STOP_GENTLY			 ? program->spec.gentle_signal
					: mode == BM_STOP_FIRMLY ? program->spec.firm_signal
								 : SIGKILL,
			&ignored);
}

static void arm_unit_timer(void *ctx, uint64_t msec)
{
	struct bm_program *program = ctx;

	if (msec == 0) {
		bm_timer_disarm(program->unit_timer);
	} else {
		bm_timer_arm(program->unit_timer, msec);
	}
}

static uint64_t now_msec(void *ctx)
{
	(void)ctx;
	return bm_clock_msec();
}

static const struct bm_unit_host host = {
		.spawn = spawn_child,
		.stop = stop_child,
		.arm = arm_unit_timer,
		.now_msec = now_msec,
};

static void on_unit_timer(void *ctx)
{
	struct bm_program *program = ctx;

	bm_unit_handle(program->unit, BM_UNIT_TIMED_OUT);
}

static void on_changed(void *ctx, struct bm_unit *unit)
{
	struct bm_program *program = ctx;

	if (program->changed != NULL) {
		program->changed(program->ctx, unit);
	}
}

/* ---- life ---- */

static const char *const *copy_list(const char *const *list)
{
	size_t count = 0;

	if (list == NULL) {
		return NULL;
	}
	while (list[count] != NULL) {
		count++;
	}
	char **copy = bm_alloc((count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		copy[i] = bm_strdup(list[i]);
	}
	return (const char *const *)copy;
}

static void free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void free_list(const char *const *list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		free_text(list[i]);
	}
	free((void *)(uintptr_t)list);
}

static struct bm_program_spec copy_spec(const struct bm_program_spec *spec)
{
	struct bm_program_spec copy = *spec;

	copy.name = bm_strdup(spec->name);
	copy.argv = copy_list(spec->argv);
	copy.env = copy_list(spec->env);
	copy.cwd = bm_strdup(spec->cwd);
	copy.probe_tcp = bm_strdup(spec->probe_tcp);
	copy.probe_argv = copy_list(spec->probe_argv);
	if (copy.probe_interval_msec == 0) {
		copy.probe_interval_msec = 1000;
	}
	return copy;
}

static void free_spec(struct bm_program_spec *spec)
{
	free_text(spec->name);
	free_list(spec->argv);
	free_list(spec->env);
	free_text(spec->cwd);
	free_text(spec->probe_tcp);
	free_list(spec->probe_argv);
}

struct bm_program *bm_program_create(struct bm_loop *loop, const struct bm_program_spec *spec,
		const struct bm_unit_policy *policy,
		void (*changed)(void *ctx, struct bm_unit *unit), void *ctx)
{
	struct bm_program *program = bm_alloc(sizeof(*program));

	program->loop = loop;
	program->spec = copy_spec(spec);
	program->changed = changed;
	program->ctx = ctx;
	program->unit_timer = bm_timer_create(loop, on_unit_timer, program);
	program->probe_timer = bm_timer_create(loop, on_probe_timer, program);
	program->probe = bm_probe_create(loop, on_answer, program);
	program->unit = bm_unit_create(spec->name, policy, &host, on_changed, program);
	return program;
}

void bm_program_close(struct bm_program *program)
{
	if (program == NULL) {
		return;
	}
	if (program->pid > 0) {
		bm_child_forget(program->loop, program->pid);
		kill(-program->pid, SIGKILL);
	}
	bm_output_close(program->output);
	bm_output_close(program->leftover);
	bm_probe_close(program->probe);
	bm_timer_close(program->unit_timer);
	bm_timer_close(program->probe_timer);
	bm_unit_destroy(program->unit);
	bm_strbuf_finish(&program->tail);
	free_spec(&program->spec);
	free(program);
}

struct bm_unit *bm_program_unit(struct bm_program *program)
{
	return program->unit;
}

pid_t bm_program_pid(const struct bm_program *program)
{
	return program->pid;
}
