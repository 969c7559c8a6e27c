/*
 * answer - from a request to the lines of its answer
 *
 * Only appends text; connection.c carries it to the socket. docs/control-protocol.md
 * documents each member.
 */
#ifndef DAEMON_CONTROL_ANSWER_H
#define DAEMON_CONTROL_ANSWER_H

#include <sys/types.h>

#include "daemon/control/host.h"
#include "daemon/control/request.h"

/* Carry out a request (not events: they are a stream) and append its answer. */
void bm_control_answer(const struct bm_control_host *host, struct bm_machine *machine,
		const struct bm_control_request *request, uid_t uid, struct bm_strbuf *out);

/* One event as a line that is not the last. */
void bm_control_answer_event(const struct bm_machine_event *event, struct bm_strbuf *out);

/* The last line: done and well, or refused with a reason ("config", "refused", ...). */
void bm_control_answer_done(struct bm_strbuf *out);
void bm_control_answer_refusal(const char *code, const char *message, struct bm_strbuf *out);

#endif
