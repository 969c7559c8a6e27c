/*
 * http_library - libmicrohttpd and zlib, loaded when they are needed
 *
 * Only `worker http` needs them: libmicrohttpd brings GnuTLS and ten more libraries, which
 * `health` and the start of PID 1 shall not wait for (base/libpq/late.c has the same reason).
 *
 * Threads: load once, then any.
 */
#ifndef CLIENT_HTTP_HTTP_LIBRARY_H
#define CLIENT_HTTP_HTTP_LIBRARY_H

#include <microhttpd.h>
#include <stdbool.h>
#include <zlib.h>

#include "bucardo_machine/error.h"

/* clang-format off */
#define HTTP_MHD_FUNCTIONS(X)                                        \
	X(start_daemon) X(stop_daemon) X(queue_response)             \
	X(create_response_from_buffer)                               \
	X(create_response_from_buffer_with_free_callback_cls)        \
	X(add_response_header) X(destroy_response)                   \
	X(suspend_connection) X(resume_connection)                   \
	X(get_connection_values) X(lookup_connection_value)          \
	X(get_connection_info)
/* clang-format on */

struct http_library {
#define HTTP_MEMBER(name) __typeof__(MHD_##name) *name;
	HTTP_MHD_FUNCTIONS(HTTP_MEMBER)
#undef HTTP_MEMBER
	/* NULL, all three, where there is no zlib: nothing is compressed then. */
	__typeof__(deflateInit2_) *deflate_init;
	__typeof__(deflate) *deflate;
	__typeof__(deflateEnd) *deflate_end;
};

/* Valid after http_library_load() said 0. */
extern struct http_library http_library;

int http_library_load(struct bm_error *err);

#endif
