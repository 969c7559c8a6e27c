/* macros - the few that every area may use; each needs a reason to be one. */
#ifndef BUCARDO_MACHINE_MACROS_H
#define BUCARDO_MACHINE_MACROS_H

#include <assert.h> /* static_assert */
#include <stddef.h>

/* The number of elements of a true array (not of a pointer). */
#define BM_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The object of `type` whose `member` is at `pointer`. */
#define BM_CONTAINER_OF(pointer, type, member)                                                 \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
