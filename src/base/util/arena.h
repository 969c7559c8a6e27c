/*
 * arena - memory that is given back all at once
 *
 * Zeroed allocations of any size that live until bm_arena_finish(). A zeroed
 * struct is an empty arena.
 */
#ifndef BASE_UTIL_ARENA_H
#define BASE_UTIL_ARENA_H

#include <stddef.h>

struct bm_arena_chunk;

struct bm_arena {
	struct bm_arena_chunk *chunks;
};

void bm_arena_finish(struct bm_arena *arena);

/* Zeroed, aligned for any type, never NULL. */
void *bm_arena_alloc(struct bm_arena *arena, size_t size);

/* A terminated copy of `length` bytes. */
char *bm_arena_copy(struct bm_arena *arena, const char *text, size_t length);

#endif
