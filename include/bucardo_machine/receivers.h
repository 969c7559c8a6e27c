/*
 * receivers - who is told of changes of state, as one text from the daemon to `worker notify`
 *
 * A JSON object: `settle_msec`, and `receivers`, a list of `name`, `least` (info, warn,
 * error), `timeout_msec`, `interval_msec`, and what else machine.yaml says of one: `url` or
 * `url_file`, `token_file`, `ca_file`, or `command`. Files are named, never their content.
 *
 * Back comes how each stands, as a list of objects in the request `notified` of the control
 * socket (docs/control-protocol.md); the status and the doctor hand it on.
 */
#ifndef BUCARDO_MACHINE_RECEIVERS_H
#define BUCARDO_MACHINE_RECEIVERS_H

#include <stddef.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/error.h"

struct json_t;

/* The variable that carries it. */
#define BM_RECEIVERS_VARIABLE "BUCARDO_MACHINE_RECEIVERS"

/* Of the configuration in force; to be freed. */
char *bm_receivers_text(const struct bm_config *config);

/* As machine.yaml allows (notify.receivers). */
#define BM_RECEIVERS_MOST 16

/* From so many failures in a row on it is a finding of the doctor. */
#define BM_RECEIVER_FAILS 3

/* How one stands. */
struct bm_receiver_report {
	char name[40];
	char kind[16];		/* webhook, command */
	char delivered_at[40];	/* ISO 8601; "": never */
	char failing_since[40]; /* the first of the failures in a row; "": the last one arrived
				 */
	unsigned failures;	/* in a row */
	char why[300];		/* the last failure; "" */
};

/* Read `list` into `out`, which has room for BM_RECEIVERS_MOST; -1 with `err`. */
int bm_receiver_reports_read(const struct json_t *list, struct bm_receiver_report *out,
		size_t *count, struct bm_error *err);

/* The same list again, to be released. */
struct json_t *bm_receiver_reports_json(const struct bm_receiver_report *reports, size_t count);

#endif
