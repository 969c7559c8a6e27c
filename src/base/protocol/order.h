/* order - the first line a worker reads: what to do, as JSON. */
#ifndef BASE_PROTOCOL_ORDER_H
#define BASE_PROTOCOL_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

/* The longest order. Fits into a pipe, so that handing it over never blocks. */
#define BM_ORDER_LINE_BYTES 4096

struct bm_observe_order {
	char socket_dir[256]; /* the control PostgreSQL */
	uint64_t interval_msec, timeout_msec;
};

/* The line, without a newline; the caller frees it. */
char *bm_observe_order_encode(const struct bm_observe_order *order);

int bm_observe_order_decode(const char *text, size_t length, struct bm_observe_order *out,
		struct bm_error *err);

#endif
