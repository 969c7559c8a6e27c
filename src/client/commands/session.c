/*
 * `session`: a login shell on a terminal of its own, inside the one that the
 * container's runtime gave it.
 *
 * Standing in between, we see both directions: a connection that is silent for
 * long gets a byte that prints nothing, so that no load balancer forgets it; and
 * when the client is gone without a word (presence.h), the shell and everything
 * in its session is hung up, then killed. What must outlive its shell is started
 * with setsid, as `bucardo start` does by itself.
 */
#include "client/cli/command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/terminal/answer_filter.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/spawn.h"
#include "client/commands/presence.h"
#include "client/terminal/terminal.h"

/* The login profile goes on without us when it sees this. */
#define EXIT_NO_SESSION 125
#define EXIT_HUNG_UP 129 /* as if SIGHUP had ended the shell */

#define KEEPALIVE_SECONDS 150
#define HANGUP_SECONDS 50	   /* with KILL_MSEC: all over within a minute */
#define KILL_MSEC 5000		   /* after the hang-up, for what ignores it */
#define SWEEP_MSEC 200		   /* how often to look whether all are gone */
#define LAST_WORDS_MSEC 2000	   /* the shell's last output, to a slow client */
#define ESCAPE_MSEC 50		   /* a held Escape is a key when nothing follows it */
#define CALM_OUTPUT_MSEC 100	   /* nothing written for so long: no sequence is open */
#define DEFAULT_SHELL "bash", "-l" /* when no command is given */

struct session {
	struct bm_loop *loop;
	struct cli_terminal terminal;
	struct bm_watch *outer, *inner, *resize;
	int resize_fd;
	struct bm_timer *presence_timer, *escape_timer, *end_timer;
	struct cli_presence presence;
	struct cli_answer_filter filter;
	struct cli_pump typed, printed;
	const char *question; /* what of it is still to be written; "" for none */
	size_t nuls;	      /* still to be written */
	uint64_t printed_at;
	char last_printed;
	pid_t shell;
	bool shell_gone, hung_up;
	uint64_t hung_up_at;
	unsigned left; /* processes, after the hang-up */
	int exit_code;
};

static void update(struct session *s);

/* ---- the end ---- */

static bool hang_up_one(void *ctx, const struct bm_process *process)
{
	const struct session *s = ctx;

	if (process->session == s->shell) {
		bool late = bm_clock_msec() - s->hung_up_at >= KILL_MSEC;
		bm_process_signal(process->pid, process->start_time, late ? SIGKILL : SIGHUP,
				NULL);
		if (!late) {
			bm_process_signal(process->pid, process->start_time, SIGCONT, NULL);
		}
	}
	return true;
}

static bool count_one(void *ctx, const struct bm_process *process)
{
	struct session *s = ctx;

	/* A zombie is its parent's business, and holds nothing. */
	if (process->session == s->shell && process->state != 'Z') {
		s->left++;
	}
	return true;
}

static bool anybody_left(struct session *s)
{
	s->left = 0;
	bm_process_each(count_one, s);
	return s->left > 0;
}

/* Nobody is there: hang up, and see to it that everybody listens. */
static void hang_up(struct session *s)
{
	if (s->hung_up || s->shell_gone) {
		return;
	}
	s->hung_up = true;
	s->hung_up_at = bm_clock_msec();
	s->exit_code = EXIT_HUNG_UP;
	bm_timer_disarm(s->presence_timer);
	bm_watch_close(s->outer);
	bm_watch_close(s->inner);
	s->outer = s->inner = NULL;
	cli_terminal_hang_up(&s->terminal);
	bm_process_each(hang_up_one, s);
	bm_timer_arm(s->end_timer, SWEEP_MSEC);
}

static void on_end_timer(void *ctx)
{
	struct session *s = ctx;

	if (s->hung_up && anybody_left(s)) {
		if (bm_clock_msec() - s->hung_up_at >= KILL_MSEC) {
			bm_process_each(hang_up_one, s);
		}
		bm_timer_arm(s->end_timer, SWEEP_MSEC);
		return;
	}
	bm_loop_stop(s->loop);
}

static void on_shell_exit(void *ctx, pid_t pid, int status)
{
	struct session *s = ctx;

	(void)pid;
	s->shell_gone = true;
	if (s->hung_up) {
		return; /* on_end_timer() sees to the rest */
	}
	s->exit_code = bm_exit_code(status);
	bm_timer_disarm(s->presence_timer);
	bm_timer_arm(s->end_timer, LAST_WORDS_MSEC);
	update(s);
}

/* ---- bytes ---- */

static bool output_is_calm(const struct session *s, uint64_t now)
{
	return cli_pump_is_empty(&s->printed) &&
			(s->last_printed == '\n' || now - s->printed_at >= CALM_OUTPUT_MSEC);
}

static bool has_output(const struct session *s)
{
	return !cli_pump_is_empty(&s->printed) || *s->question != '\0' || s->nuls > 0;
}

static size_t write_nuls(int fd, size_t count)
{
	static const char nuls[4096];
	size_t done = 0;

	while (done < count) {
		size_t chunk = count - done < sizeof(nuls) ? count - done : sizeof(nuls);
		ssize_t written = write(fd, nuls, chunk);
		if (written <= 0) {
			break;
		}
		done += (size_t)written;
	}
	return done;
}

/* To the client: what programs printed first, a question whole, padding last. */
static void write_outer(struct session *s)
{
	uint64_t now = bm_clock_msec();
	int fd = s->terminal.outer;

	if (*s->question != '\0') {
		ssize_t count = write(fd, s->question, strlen(s->question));
		s->question += count > 0 ? count : 0;
		if (*s->question != '\0') {
			return;
		}
	}
	if (!cli_pump_is_empty(&s->printed)) {
		s->last_printed = s->printed.data[s->printed.end - 1];
		s->printed_at = now;
		cli_presence_took(&s->presence, cli_pump_drain(&s->printed, fd), true, now);
	}
	if (cli_pump_is_empty(&s->printed) && s->nuls > 0) {
		size_t count = write_nuls(fd, s->nuls);
		s->nuls -= count;
		cli_presence_took(&s->presence, count, false, now);
	}
}

static void read_outer(struct session *s)
{
	uint64_t now = bm_clock_msec();
	unsigned answers;

	if (!cli_pump_fill(&s->typed, s->terminal.outer)) {
		hang_up(s);
		return;
	}
	size_t count = s->typed.end;
	if (count == 0) {
		return;
	}
	s->typed.end = cli_answer_filter(&s->filter, s->typed.data, count, &answers);
	if (answers > 0) {
		cli_presence_answered(&s->presence, now);
	}
	if (s->typed.end > 0) {
		cli_presence_typed(&s->presence, now);
	}
	if (s->filter.matched > 0) {
		bm_timer_arm(s->escape_timer, ESCAPE_MSEC);
	}
}

static void on_escape_timer(void *ctx)
{
	struct session *s = ctx;

	if (cli_pump_is_empty(&s->typed)) {
		s->typed.start = 0;
		s->typed.end = cli_answer_filter_release(&s->filter, s->typed.data);
	} else {
		bm_timer_arm(s->escape_timer, ESCAPE_MSEC);
	}
	update(s);
}

static void on_outer(void *ctx, int events)
{
	struct session *s = ctx;

	if ((events & BM_IO_ERROR) != 0) {
		hang_up(s);
		return;
	}
	if ((events & BM_IO_WRITE) != 0) {
		write_outer(s);
	}
	if ((events & BM_IO_READ) != 0 && cli_pump_is_empty(&s->typed)) {
		read_outer(s);
	}
	update(s);
}

static void on_inner(void *ctx, int events)
{
	struct session *s = ctx;

	if ((events & BM_IO_WRITE) != 0) {
		cli_pump_drain(&s->typed, s->terminal.inner);
	}
	if ((events & (BM_IO_READ | BM_IO_ERROR)) != 0 && cli_pump_is_empty(&s->printed)) {
		cli_pump_fill(&s->printed, s->terminal.inner);
	}
	update(s);
}

static void on_resize(void *ctx, int events)
{
	struct session *s = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(s->resize_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		/* only the size of now matters */
	}
	cli_terminal_copy_size(&s->terminal);
}

/* ---- what to wait for ---- */

static void take_step(struct session *s, enum cli_presence_step step)
{
	switch (step) {
	case CLI_PRESENCE_KEEPALIVE:
		s->nuls++;
		break;
	case CLI_PRESENCE_ASK:
		s->question = CLI_QUESTION;
		s->filter.open++;
		break;
	case CLI_PRESENCE_FLOOD:
		s->nuls += CLI_FLOOD_BYTES;
		break;
	case CLI_PRESENCE_GONE:
		hang_up(s);
		break;
	case CLI_PRESENCE_WAIT:
		break;
	}
}

static void check_presence(struct session *s)
{
	uint64_t wait = 0;

	while (!s->hung_up && !s->shell_gone) {
		uint64_t now = bm_clock_msec();
		enum cli_presence_step step = cli_presence_next(
				&s->presence, output_is_calm(s, now), now, &wait);
		take_step(s, step);
		if (step == CLI_PRESENCE_WAIT) {
			break;
		}
	}
	if (!s->hung_up && wait > 0) {
		bm_timer_arm(s->presence_timer, wait);
	}
}

static void on_presence_timer(void *ctx)
{
	update(ctx);
}

/* The shell has ended: what it printed last still goes out. */
static void finish(struct session *s)
{
	if (cli_pump_is_empty(&s->printed)) {
		cli_pump_fill(&s->printed, s->terminal.inner);
	}
	if (cli_pump_is_empty(&s->printed)) {
		bm_loop_stop(s->loop);
	}
}

/* After anything has happened: what next, and which descriptors to watch for it. */
static void update(struct session *s)
{
	if (s->shell_gone && !s->hung_up) {
		finish(s);
	}
	check_presence(s);
	if (s->hung_up) {
		return;
	}
	bm_watch_change(s->outer,
			(cli_pump_is_empty(&s->typed) ? BM_IO_READ : 0) |
					(has_output(s) ? BM_IO_WRITE : 0),
			NULL);
	bm_watch_change(s->inner,
			(cli_pump_is_empty(&s->printed) ? BM_IO_READ : 0) |
					(cli_pump_is_empty(&s->typed) ? 0 : BM_IO_WRITE),
			NULL);
}

static void on_signal(void *ctx, int signo)
{
	(void)signo;
	hang_up(ctx);
}

/* ---- the beginning ---- */

static uint64_t msec_from_environment(const char *name, unsigned fallback)
{
	const char *text = getenv(name);
	char *end = NULL;
	unsigned long seconds = text != NULL ? strtoul(text, &end, 10) : 0;

	if (text == NULL || end == text || *end != '\0' || seconds > 86400) {
		if (text != NULL && *text != '\0') {
			fprintf(stderr,
					"%s is '%s'; a number of seconds is expected (0: never); "
					"%u is used\r\n",
					name, text, fallback);
		}
		seconds = fallback;
	}
	return seconds * 1000;
}

/*
 * A session leader without a terminal gets the first one that it opens; so the shell
 * that runs the command opens it by name.
 */
static int start_shell(struct session *s, char *const *child, struct bm_error *err)
{
	static const char *const login[] = {DEFAULT_SHELL, NULL};
	static const char *const env[] = {"BUCARDO_MACHINE_SESSION=1", NULL};
	const char *argv[32] = {"bash", "-c", "exec <>\"$0\" >&0 2>&0 && exec \"$@\"",
			s->terminal.slave_name};
	size_t count = 4;

	for (const char *const *word = child != NULL ? (const char *const *)child : login;
			*word != NULL; word++) {
		if (count + 1 == sizeof(argv) / sizeof(argv[0])) {
			return bm_error_set(
					err, BM_ERR_CONFIG, "the command has too many words");
		}
		argv[count++] = *word;
	}
	struct bm_spawn spawn = BM_SPAWN_INIT;
	spawn.argv = argv;
	spawn.env = env;
	spawn.death_signal = SIGHUP;
	s->shell = bm_spawn(s->loop, &spawn, on_shell_exit, s, err);
	return s->shell > 0 ? 0 : -1;
}

static int watch_resize(struct session *s, struct bm_error *err)
{
	sigset_t winch;

	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	s->resize_fd = signalfd(-1, &winch, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->resize_fd < 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot wait for a change of size: %m");
	}
	s->resize = bm_watch_create(s->loop, s->resize_fd, BM_IO_READ, on_resize, s, err);
	return s->resize != NULL ? 0 : -1;
}

static int begin(struct session *s, struct bm_error *err)
{
	if (bm_event_begin(err) != 0) {
		return -1;
	}
	/* Orphans belong to PID 1: a Bucardo started here outlives us. */
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	s->loop = bm_loop_create(err);
	if (s->loop == NULL || cli_terminal_open(&s->terminal, err) != 0) {
		return -1;
	}
	s->presence_timer = bm_timer_create(s->loop, on_presence_timer, s);
	s->escape_timer = bm_timer_create(s->loop, on_escape_timer, s);
	s->end_timer = bm_timer_create(s->loop, on_end_timer, s);
	s->outer = bm_watch_create(s->loop, s->terminal.outer, BM_IO_READ, on_outer, s, err);
	s->inner = bm_watch_create(s->loop, s->terminal.inner, BM_IO_READ, on_inner, s, err);
	if (s->outer == NULL || s->inner == NULL) {
		return -1;
	}
	bm_loop_on_signal(s->loop, on_signal, s);
	return watch_resize(s, err);
}

static void end(struct session *s)
{
	bm_watch_close(s->outer);
	bm_watch_close(s->inner);
	bm_watch_close(s->resize);
	bm_timer_close(s->presence_timer);
	bm_timer_close(s->escape_timer);
	bm_timer_close(s->end_timer);
	cli_terminal_close(&s->terminal);
	bm_loop_destroy(s->loop);
}

int cli_session(const struct cli_call *call)
{
	static struct session session;
	struct session *s = &session;
	struct bm_error err = BM_ERROR_INIT;
	uint64_t now = bm_clock_msec();

	s->question = "";
	s->terminal = (struct cli_terminal){.outer = -1, .inner = -1, .slave = -1};
	cli_presence_begin(&s->presence,
			msec_from_environment("BUCARDO_MACHINE_KEEPALIVE", KEEPALIVE_SECONDS),
			msec_from_environment("BUCARDO_MACHINE_HANGUP", HANGUP_SECONDS), now);
	if (begin(s, &err) != 0 || start_shell(s, call->child, &err) != 0) {
		end(s);
		fprintf(stderr, "no keepalive for this shell: %s\n", err.message);
		return EXIT_NO_SESSION;
	}
	if (s->presence.hangup_msec > 0) {
		take_step(s, CLI_PRESENCE_ASK); /* does this terminal answer? */
	}
	update(s);
	bm_loop_run(s->loop);
	end(s);
	return s->exit_code;
}
