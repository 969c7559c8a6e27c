/* classify - what an error text of a run means: whom it concerns, how to fix it. Pure. */
#ifndef DAEMON_HEALTH_CLASSIFY_H
#define DAEMON_HEALTH_CLASSIFY_H

#include "bucardo_machine/strbuf.h"

enum run_error_class {
	RUN_ERROR_NONE,	     /* no error, or not one of a run: a stop, a restart */
	RUN_ERROR_TRANSIENT, /* goes away by itself: conflicts, connections */
	RUN_ERROR_PERMANENT, /* comes back until a person fixes the cause */
	RUN_ERROR_UNKNOWN    /* not in the table: permanent once it repeats */
};

/*
 * Evaluate the error `text` of a run of `sync`. For PERMANENT and UNKNOWN what a
 * person can do is appended to `advice` (may be NULL).
 */
enum run_error_class bucardo_classify(
		const char *text, const char *sync, struct bm_strbuf *advice);

/* What to do about a database that cannot be reached, by the error; appended. */
void bucardo_advise_unreachable(const char *error, const char *db, struct bm_strbuf *advice);

#endif
