/*
 * bundle - what the parts of a support bundle are made from
 *
 * A part is a file of the bundle. Each is written from what is there: the machine may be dead,
 * the volume may be missing. What cannot be had is a line in errors.txt. No part is more than
 * BUNDLE_PART_BYTES, and nothing leaves without cli_redact().
 */
#ifndef CLIENT_SUPPORT_BUNDLE_H
#define CLIENT_SUPPORT_BUNDLE_H

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/strbuf.h"
#include "client/cli/command.h"
#include "client/support/redact.h"

#define BUNDLE_PART_BYTES ((size_t)4 * 1024 * 1024)

struct bundle {
	const struct cli_call *call;
	struct bm_loop *loop;
	struct cli_redactor *redactor;
	char *folder;		 /* where its files are written */
	struct bm_strbuf errors; /* lines */
	bool is_interrupted;
};

/* Write one file, redacted and cut to the limit. */
void bundle_write(struct bundle *bundle, const char *name, const char *text);
/* A line of errors.txt. */
void bundle_fail(struct bundle *bundle, const char *name, const char *why);

/* Of the machine: what it answers. Of the system: what is on the disk and in /proc. Of the
 * control database: our tables and Bucardo's, at most 1,000 rows of each. */
void bundle_add_machine(struct bundle *bundle);
void bundle_add_system(struct bundle *bundle);
void bundle_add_database(struct bundle *bundle);

#endif
