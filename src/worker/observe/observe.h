/* observe - the child side of the sampler: looks at all databases, prints lines. */
#ifndef WORKER_OBSERVE_OBSERVE_H
#define WORKER_OBSERVE_OBSERVE_H

/* Runs until its stdin is closed; returns the exit code. */
int bm_observe_run(void);

#endif
