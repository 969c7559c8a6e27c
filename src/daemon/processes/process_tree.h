/*
 * process_tree - the processes of a Bucardo tree, as the piddir and /proc show them
 *
 * Looks and signals; remembers nothing. A process belongs to our tree when its
 * title is Bucardo's, its user ours, and a pid file, its working folder or its
 * parent (an orphan of ours) connects it with this machine.
 */
#ifndef DAEMON_PROCESSES_PROCESS_TREE_H
#define DAEMON_PROCESSES_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/processes/title.h"
#include "bucardo_machine/spawn.h"

#define TREE_NAME_SIZE 128

/* One pid file. */
struct tree_file {
	enum bucardo_role role;
	char sync[TREE_NAME_SIZE];
	pid_t pid; /* 0: nothing readable in it */
};

/* Read every pid file of `piddir`; the callback returns false to end. */
void tree_each_file(const char *piddir, bool (*cb)(void *ctx, const struct tree_file *file),
		void *ctx);

/* Processes of the tree that live. */
size_t tree_count(const char *piddir);

/* Send `signo` to each of them; `only` limits it to one role (BUCARDO_ROLE_COUNT: all).
 * Returns how many there were. */
size_t tree_signal(const char *piddir, int signo, enum bucardo_role only);

/* Remove every pid file; the stop file and the rest stay. */
void tree_remove_files(const char *piddir);

/* Remove the pid file of the VAC, if it still names `pid`. */
bool tree_remove_vac_file(const char *piddir, pid_t pid);

#endif
