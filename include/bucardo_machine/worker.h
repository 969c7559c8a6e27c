/*
 * worker - work that blocks, in processes that may be killed
 *
 * The daemon starts `bucardo-machine worker NAME`, hands it one
 * JSON line, its request, on stdin, and reads JSON lines from its stdout; stderr goes
 * to the log. A worker talks to remote databases with plain blocking libpq. Closing
 * its stdin or killing it is the cancel; it dies with its parent. The lines are
 * documented in docs/worker-protocol.md.
 *
 * No password is ever in a request: libpq reads the pgpass file.
 */
#ifndef BUCARDO_MACHINE_WORKER_H
#define BUCARDO_MACHINE_WORKER_H

/* The role `worker NAME`: argv[0] is the word `worker`, argv[1] the name. Runs to its
 * end, returns the exit code. */
int bm_worker_main(int argc, char **argv);

#endif
