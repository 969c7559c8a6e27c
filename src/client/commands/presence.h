/*
 * presence - is there still somebody at the other end of a terminal?
 *
 * A container's runtime keeps the terminal of a `kubectl exec` open when its
 * client has vanished, so nothing inside is told. Three things prove that the
 * client is there: it typed something; its terminal answered when asked for its
 * status (ESC [ 5 n, which prints nothing); or, for terminals that do not
 * answer, it took more bytes than fit into the pipes on the way. When none of
 * these happened for `hangup_msec`, nobody is there.
 *
 * Pure: times come in, the next step goes out.
 */
#ifndef CLIENT_COMMANDS_PRESENCE_H
#define CLIENT_COMMANDS_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * More than containerd holds for a client that is gone: 97 KB were measured (a pipe
 * of 64 KiB, the terminal's buffers, a copy under way); runtimes differ.
 */
#define CLI_FLOOD_BYTES ((size_t)192 * 1024)

enum cli_presence_step {
	CLI_PRESENCE_WAIT,
	CLI_PRESENCE_KEEPALIVE, /* write one NUL: the connection was silent for long */
	CLI_PRESENCE_ASK,	/* ask the terminal for its status */
	CLI_PRESENCE_FLOOD, /* write CLI_FLOOD_BYTES of NUL and see whether they are taken */
	CLI_PRESENCE_GONE
};

struct cli_presence {
	uint64_t keepalive_msec; /* 0: never */
	uint64_t hangup_msec;	 /* 0: never */
	bool answers;		 /* this terminal has answered before */
	bool asked, flooded;	 /* since the last proof */
	uint64_t traffic_at, proof_at, took_at;
	uint64_t probe_at, first_probe_at; /* since the last proof */
	size_t taken;			   /* bytes the terminal took since the last proof */
};

void cli_presence_begin(struct cli_presence *presence, uint64_t keepalive_msec,
		uint64_t hangup_msec, uint64_t now);

/* Bytes came from the client's keyboard; its terminal answered; it took bytes of ours. */
void cli_presence_typed(struct cli_presence *presence, uint64_t now);
void cli_presence_answered(struct cli_presence *presence, uint64_t now);
void cli_presence_took(struct cli_presence *presence, size_t count, bool output, uint64_t now);

/*
 * What to do now; with CLI_PRESENCE_WAIT, `wait_msec` says when to call again (0: no
 * need). A step is given once: the caller carries it out. `calm` says that bytes may be
 * put into the output now without tearing a character or a control sequence apart.
 */
enum cli_presence_step cli_presence_next(
		struct cli_presence *presence, bool calm, uint64_t now, uint64_t *wait_msec);

#endif
