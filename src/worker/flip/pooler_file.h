/*
 * pooler_file - the lines of [databases] of a PgBouncer, read and changed as text
 *
 * What a line has besides host, port and dbname stays; so does all else in the file. Pure.
 */
#ifndef WORKER_FLIP_POOLER_FILE_H
#define WORKER_FLIP_POOLER_FILE_H

#include <stddef.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/strbuf.h"

struct bm_pooler_target {
	char host[256], port[16], dbname[128];
};

/* Where the line of `database` leads ("" what it does not say); -1 with BM_ERR_PRECONDITION
 * when the text has no such line, or more than one. */
int bm_pooler_file_read(const char *text, const char *database, struct bm_pooler_target *out,
		struct bm_error *err);

/* Append `text` to `out`, with the line of `database` leading to `target`. */
int bm_pooler_file_write(const char *text, const char *database,
		const struct bm_pooler_target *target, struct bm_strbuf *out,
		struct bm_error *err);

#endif
