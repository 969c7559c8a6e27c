/* observe_request - the first line a worker reads: what to do, as JSON. */
#ifndef BASE_PROTOCOL_OBSERVE_REQUEST_H
#define BASE_PROTOCOL_OBSERVE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

/* The longest request. Fits into a pipe, so that handing it over never blocks. */
#define BM_REQUEST_LINE_BYTES 4096

struct bm_observe_request {
	char socket_dir[256]; /* the control PostgreSQL */
	uint64_t interval_msec, timeout_msec;
};

/* The line, without a newline; the caller frees it. */
char *bm_observe_request_encode(const struct bm_observe_request *request);

int bm_observe_request_decode(const char *text, size_t length, struct bm_observe_request *out,
		struct bm_error *err);

#endif
