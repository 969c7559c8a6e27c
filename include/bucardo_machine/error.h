/*
 * error - what went wrong, as a value on the caller's stack
 *
 * Functions that can fail return 0, or -1 with their last parameter
 * `struct bm_error *err` filled; success leaves it alone. The message is one
 * sentence in lower case without a full stop, error first, subject in single
 * quotes. Going up, bm_error_wrap() puts context in front of it. Nobody below
 * `machine`, `control` and `cli` logs an error: they return it, and whoever
 * decides what to do about it logs it once.
 *
 * Nothing here allocates. Threads: a value belongs to whoever holds it.
 */
#ifndef BUCARDO_MACHINE_ERROR_H
#define BUCARDO_MACHINE_ERROR_H

#include <stddef.h>

/* Codes name what the caller does next. */
enum bm_error_code {
	BM_ERR_NONE,
	BM_ERR_TRANSIENT,    /* try again later: a peer is unreachable, a resource is short */
	BM_ERR_CONFIG,	     /* a person must change what they wrote */
	BM_ERR_PRECONDITION, /* a person must change the world (rights, volume, schema) */
	BM_ERR_IO,	     /* a file or socket operation failed; see os_errno */
	BM_ERR_SQL,	     /* a server refused a statement; see sqlstate */
	BM_ERR_TIMEOUT,	     /* a limit in time was reached */
	BM_ERR_MOMENTS, /* a copy is of several moments of its source: again, or accept it */
	BM_ERR_NEWER,	/* a later version wrote what is there: nothing is touched */
	BM_ERR_INTERNAL /* ours: stop and keep the evidence */
};

struct bm_error {
	enum bm_error_code code;
	int os_errno;	   /* 0 when no system call was involved */
	char sqlstate[6];  /* "" when no server was involved */
	char message[768]; /* longer texts are cut; the end carries "..." then */
};

#define BM_ERROR_INIT                                                                          \
	{                                                                                      \
		BM_ERR_NONE, 0, "", ""                                                         \
	}

/*
 * Fill `err` (NULL is accepted) and return -1, so that a failing function can
 * end with `return bm_error_set(...)`. %m prints the errno of the moment of
 * the call, which is also kept in os_errno for BM_ERR_IO.
 */
int bm_error_set(struct bm_error *err, enum bm_error_code code, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

/* Put "CONTEXT: " in front of the message; code and numbers stay. Returns -1. */
int bm_error_wrap(struct bm_error *err, const char *format, ...)
		__attribute__((format(printf, 2, 3)));

/* "transient", "config", ... Static storage, never NULL. */
const char *bm_error_code_name(enum bm_error_code code);

#endif
