/*
 * request - what a client may ask, and how its line is understood
 *
 * Pure: bytes in, a struct out; the fuzz target and the unit tests drive it
 * without a socket. A line that is not understood gives a message for the client.
 */
#ifndef DAEMON_CONTROL_REQUEST_H
#define DAEMON_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/machine.h"
#include "bucardo_machine/receivers.h"

/* The longest request line; the machine's own are under 300 bytes. */
#define BM_CONTROL_LIMIT_BYTES ((size_t)64 * 1024)
#define BM_CONTROL_NAME_BYTES 128
#define BM_CONTROL_ACCEPT_BYTES 8192

enum bm_control_command {
	BM_CONTROL_CONFIG_RELOAD,
	BM_CONTROL_CONFIG_SHOW,
	BM_CONTROL_CUTOVER,
	BM_CONTROL_DOCTOR,
	BM_CONTROL_EVENTS,
	BM_CONTROL_HEALTH,
	BM_CONTROL_MIGRATE,
	BM_CONTROL_NOTIFIED,
	BM_CONTROL_PAUSE,
	BM_CONTROL_PLAN,
	BM_CONTROL_RESUME,
	BM_CONTROL_SERVICE,
	BM_CONTROL_STATUS,
	BM_CONTROL_TEARDOWN,
	BM_CONTROL_VERSION,
	BM_CONTROL_COMMAND_COUNT
};

struct bm_control_request {
	enum bm_control_command command;
	bool ready;		   /* health: "ready", else "live" */
	bool follow;		   /* events */
	bool brief;		   /* status: without findings */
	uint64_t after;		   /* events: those with a greater id */
	enum bm_service_verb verb; /* service */
	char unit[BM_CONTROL_NAME_BYTES];
	char migration[BM_CONTROL_NAME_BYTES]; /* migrate, pause, ... */
	enum bm_phase until;		       /* migrate; the last one if not given */
	bool fix;			       /* plan */
	bool preview;			       /* teardown: tell what would be removed */
	char without[16];		       /* teardown: the side that is gone; "" */
	bool check;		 /* cutover: begin nothing, ask whether it could be */
	struct bm_change change; /* cutover; its texts are in `accept` */
	char accept[BM_CONTROL_ACCEPT_BYTES];
	size_t receiver_count; /* notified */
	struct bm_receiver_report receivers[BM_RECEIVERS_MOST];
};

/* Understand one line (no newline). Members that are not known are ignored. */
int bm_control_parse(const char *line, size_t length, struct bm_control_request *out,
		struct bm_error *err);

/* "config-reload", "events", ... Static storage. */
const char *bm_control_command_name(enum bm_control_command command);

#endif
