/*
 * answer_filter - take a terminal's answers out of what a person types
 *
 * The answer to ESC [ 5 n is ESC [ 0 n (ESC [ 3 n: a fault of the terminal; it
 * is there all the same). It comes in the same stream as the keyboard and may be
 * torn apart. No key sends it, and as long as no question is open nothing is
 * taken out, so a program that asks by itself gets its answer.
 *
 * Pure: bytes in, bytes out.
 */
#ifndef CLIENT_TERMINAL_ANSWER_FILTER_H
#define CLIENT_TERMINAL_ANSWER_FILTER_H

#include <stddef.h>

#define CLI_QUESTION "\033[5n"

/* The most that is filtered at once, and what may be held from before. */
#define CLI_ANSWER_CHUNK 16384
#define CLI_ANSWER_HELD 3

struct cli_answer_filter {
	unsigned open;	/* questions not yet answered */
	size_t matched; /* bytes of an answer seen and held back */
	char held[CLI_ANSWER_HELD + 1];
};

/*
 * Filter `length` bytes (at most CLI_ANSWER_CHUNK) of `data` in place. Held bytes of
 * an earlier call may come out in front: `data` has room for CLI_ANSWER_HELD more.
 * Returns the new length; `answers` is the number of answers taken out.
 */
size_t cli_answer_filter(
		struct cli_answer_filter *filter, char *data, size_t length, unsigned *answers);

/* Nothing followed the held bytes in time: a person pressed Escape. Returns how many. */
size_t cli_answer_filter_release(struct cli_answer_filter *filter, char *out);

#endif
