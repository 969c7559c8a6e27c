/* The two terminals of a session; see terminal.h. */
#include "client/terminal/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int open_inner(struct cli_terminal *t, struct bm_error *err)
{
	t->inner = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (t->inner < 0 || grantpt(t->inner) != 0 || unlockpt(t->inner) != 0 ||
			ptsname_r(t->inner, t->slave_name, sizeof(t->slave_name)) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot make a terminal: %m");
	}
	t->slave = open(t->slave_name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot open '%s': %m", t->slave_name);
	}
	return 0;
}

static int open_outer(struct cli_terminal *t, struct bm_error *err)
{
	t->outer = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (t->outer < 0 || tcgetattr(t->outer, &t->before) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot use the terminal '/dev/tty': %m");
	}
	return 0;
}

static int make_raw(struct cli_terminal *t, struct bm_error *err)
{
	struct termios raw = t->before;

	cfmakeraw(&raw);
	if (tcsetattr(t->slave, TCSANOW, &t->before) != 0 ||
			tcsetattr(t->outer, TCSANOW, &raw) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot set up the terminal: %m");
	}
	t->raw = true;
	return 0;
}

int cli_terminal_open(struct cli_terminal *terminal, struct bm_error *err)
{
	*terminal = (struct cli_terminal){.outer = -1, .inner = -1, .slave = -1};
	if (open_outer(terminal, err) != 0 || open_inner(terminal, err) != 0) {
		cli_terminal_close(terminal);
		return -1;
	}
	cli_terminal_copy_size(terminal);
	if (make_raw(terminal, err) != 0) {
		cli_terminal_close(terminal);
		return -1;
	}
	return 0;
}

static void close_one(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

void cli_terminal_hang_up(struct cli_terminal *terminal)
{
	close_one(&terminal->slave);
	close_one(&terminal->inner);
}

void cli_terminal_close(struct cli_terminal *terminal)
{
	cli_terminal_hang_up(terminal);
	if (terminal->raw) {
		tcsetattr(terminal->outer, TCSANOW, &terminal->before);
	}
	close_one(&terminal->outer);
}

void cli_terminal_copy_size(const struct cli_terminal *terminal)
{
	struct winsize size;

	if (ioctl(terminal->outer, TIOCGWINSZ, &size) == 0) {
		ioctl(terminal->inner, TIOCSWINSZ, &size);
	}
}

bool cli_pump_fill(struct cli_pump *pump, int fd)
{
	ssize_t count = read(fd, pump->data, CLI_ANSWER_CHUNK);

	pump->start = 0;
	pump->end = count > 0 ? (size_t)count : 0;
	return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

size_t cli_pump_drain(struct cli_pump *pump, int fd)
{
	size_t before = pump->start;

	while (!cli_pump_is_empty(pump)) {
		ssize_t count = write(fd, pump->data + pump->start, pump->end - pump->start);
		if (count <= 0) {
			break;
		}
		pump->start += (size_t)count;
	}
	return pump->start - before;
}
