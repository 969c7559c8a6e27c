/*
 * control - the daemon's unix socket
 *
 * <runtime>/control.sock, mode 0600, peer credentials checked (our user or root).
 * A client sends one JSON line, {"command": "status", ...}, and gets JSON lines
 * back, the last one with "done": true; docs/control-protocol.md has both. Input
 * is bounded (64 KiB a request, 32 clients, 10 s for a request to arrive); a
 * client that does not read is dropped, never waited for.
 */
#ifndef BUCARDO_MACHINE_CONTROL_H
#define BUCARDO_MACHINE_CONTROL_H

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/machine.h"

struct bm_control;

/* Listen at `path` (a stale socket is replaced). `machine` is borrowed. */
struct bm_control *bm_control_open(struct bm_loop *loop, const char *path,
		struct bm_machine *machine, struct bm_error *err);

/* Finish answers already begun for at most 200 ms, close, remove the socket. */
void bm_control_close(struct bm_control *control); /* NULL is accepted */

#endif
