/* purge_lock - keeps purges of delta tables out for a moment (worker/scan/moment.h says why).
 */
#ifndef WORKER_DELTAS_PURGE_LOCK_H
#define WORKER_DELTAS_PURGE_LOCK_H

/* The number of an advisory lock of each migrated database: machine_purge() tries for it,
 * shared, and leaves everything where somebody holds it alone. "bmverify" as a number. */
#define BM_PURGE_LOCK "7092455166261683833"
/* Its halves, as pg_locks has them. */
#define BM_PURGE_LOCK_CLASS "1651340901"
#define BM_PURGE_LOCK_OBJECT "1919510137"

#endif
