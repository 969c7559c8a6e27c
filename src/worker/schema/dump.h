/* dump - the schema of the source as entries, without what was not selected */
#ifndef WORKER_SCHEMA_DUMP_H
#define WORKER_SCHEMA_DUMP_H

#include "worker/dump/entries.h"
#include "worker/transfer/internal.h"
#include "bucardo_machine/table_filter.h"

/*
 * Run pg_dump in the snapshot session's snapshot; `filter` are the rows of bm_table_filter_sql,
 * NULL when everything is in. Finish both in either case.
 */
int bm_dump_read(struct bm_transfer *t, const PGresult *filter, struct bm_entries *before,
		struct bm_entries *after, struct bm_error *err);

#endif
