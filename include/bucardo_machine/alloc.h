/*
 * alloc - memory that is always there
 *
 * Small allocations do not fail on Linux in any way a program could act on;
 * these print one line and abort instead of returning NULL. Nothing on the
 * reaping and shutdown paths of PID 1 may call them. Free with free().
 */
#ifndef BUCARDO_MACHINE_ALLOC_H
#define BUCARDO_MACHINE_ALLOC_H

#include <stddef.h>

void *bm_alloc(size_t size);				/* zeroed */
void *bm_realloc(void *old, size_t count, size_t size); /* checks the product */
char *bm_strdup(const char *text);			/* NULL stays NULL */
char *bm_strndup(const char *text, size_t length);
char *bm_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
