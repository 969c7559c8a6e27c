/* dbconn - the client-side time limits every connection of Bucardo needs. Pure. */
#ifndef DAEMON_PROCESSES_DBCONN_H
#define DAEMON_PROCESSES_DBCONN_H

#include <stdbool.h>

#include "bucardo_machine/strbuf.h"

/*
 * bucardo.db.dbconn with the limits it lacks appended; what a person wrote stays
 * as it is. Returns false when nothing is missing (`out` is left alone).
 */
bool bucardo_dbconn_merge(const char *dbconn, struct bm_strbuf *out);

#endif
