/* Parts of the control cluster's care that its files share, and unit tests look at. */
#ifndef DAEMON_POSTGRES_CLUSTER_H
#define DAEMON_POSTGRES_CLUSTER_H

#include <stdint.h>

#include "bucardo_machine/postgres.h"
#include "bucardo_machine/spawn.h"

/* "/volume/postgres/17.new": where initdb works. The caller frees it. */
char *bm_cluster_temporary(const char *data_dir);

/* The major that PG_VERSION's content names, or 0 when it names none. */
unsigned bm_cluster_parse_version(const char *text);

/* Whether global/pg_control's content can be right; if not, `why` says it. */
bool bm_cluster_control_is_sane(
		const unsigned char *data, size_t length, struct bm_strbuf *why);

/* CRC-32C as PostgreSQL uses it. */
uint32_t bm_cluster_crc(const unsigned char *data, size_t length);

enum bm_cluster_process { BM_CLUSTER_NOT_OURS, BM_CLUSTER_POSTMASTER, BM_CLUSTER_BACKEND };

/* What `process` is to the cluster in `data_dir` (a real path) of user `uid`. */
enum bm_cluster_process bm_cluster_classify(
		const struct bm_process *process, const char *data_dir, uid_t uid);

/* Which signal a leftover gets after so long; 0: leave it alone. */
int bm_cluster_stop_signal(enum bm_cluster_process kind, uint64_t waited_msec);

#endif
