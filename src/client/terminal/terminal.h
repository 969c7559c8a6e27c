/*
 * terminal - the two terminals of a session, and bytes between them
 *
 * The outer one is what the container's runtime gave us, with the client at its
 * other end; the inner one is ours, and the shell lives on it.
 */
#ifndef CLIENT_TERMINAL_TERMINAL_H
#define CLIENT_TERMINAL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "client/terminal/answer_filter.h"
#include "bucardo_machine/error.h"

struct cli_terminal {
	int outer; /* our own description of /dev/tty: non-blocking harms nobody else */
	int inner; /* the master side of the pair */
	int slave; /* held open: without it the master gives errors between two programs */
	char slave_name[64];
	struct termios before; /* what the outer one was set to */
	bool raw;
};

/* Open both, give the inner one the outer one's settings, make the outer one raw. */
int cli_terminal_open(struct cli_terminal *terminal, struct bm_error *err);

/* Put the outer one back as it was, close all. */
void cli_terminal_close(struct cli_terminal *terminal);

/* Close the inner one: whoever reads or writes there gets a hang-up. */
void cli_terminal_hang_up(struct cli_terminal *terminal);

/* The inner one gets the outer one's size; the kernel tells the programs on it. */
void cli_terminal_copy_size(const struct cli_terminal *terminal);

/* Bytes on their way from one terminal to the other: read when empty, written until empty. */
struct cli_pump {
	char data[CLI_ANSWER_CHUNK + CLI_ANSWER_HELD];
	size_t start, end;
};

static inline bool cli_pump_is_empty(const struct cli_pump *pump)
{
	return pump->start == pump->end;
}

/* Fill an empty pump; false at end of file or error (not for "nothing there now"). */
bool cli_pump_fill(struct cli_pump *pump, int fd);

/* Write what goes; returns the bytes written. */
size_t cli_pump_drain(struct cli_pump *pump, int fd);

#endif
