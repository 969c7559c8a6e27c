/* title - what a Bucardo process says of itself: its title and its pid file. Pure. */
#ifndef DAEMON_PROCESSES_TITLE_H
#define DAEMON_PROCESSES_TITLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum bucardo_role { BUCARDO_MCP, BUCARDO_VAC, BUCARDO_CTL, BUCARDO_KID, BUCARDO_ROLE_COUNT };

/* "MCP", "VAC", "CTL", "KID"; static. */
const char *bucardo_role_name(enum bucardo_role role);

/* True when `title` is that of a Bucardo process; `role` may be NULL. */
bool bucardo_title_role(const char *title, enum bucardo_role *role);

/*
 * The syncs a master process says it handles: points into `title` behind
 * "Active syncs: ", NULL while it has not got that far. "" means none.
 */
const char *bucardo_title_syncs(const char *title);

/*
 * Take apart the name of a pid file: "bucardo.kid.sync.app.pid" is role KID, sync
 * "app". `sync` gets "" for MCP and VAC. False for any other file.
 */
bool bucardo_pid_file_name(
		const char *name, enum bucardo_role *role, char *sync, size_t sync_size);

/* The pid on the first line of a pid file; 0 when there is none. */
pid_t bucardo_pid_file_pid(const char *text);

#endif
