/* A bump allocator: chunks in a list, each filled from its start. */
#include "base/util/arena.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

#define CHUNK_BYTES ((size_t)4096)

struct bm_arena_chunk {
	struct bm_arena_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

void bm_arena_finish(struct bm_arena *arena)
{
	while (arena->chunks != NULL) {
		struct bm_arena_chunk *next = arena->chunks->next;
		free(arena->chunks);
		arena->chunks = next;
	}
}

void *bm_arena_alloc(struct bm_arena *arena, size_t size)
{
	struct bm_arena_chunk *chunk = arena->chunks;
	size_t aligned = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);

	if (chunk == NULL || chunk->size - chunk->used < aligned) {
		size_t room = aligned > CHUNK_BYTES ? aligned : CHUNK_BYTES;
		chunk = bm_alloc(sizeof(*chunk) + room);
		chunk->size = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	void *memory = chunk->data + chunk->used;
	chunk->used += aligned;
	return memory;
}

char *bm_arena_copy(struct bm_arena *arena, const char *text, size_t length)
{
	char *copy = bm_arena_alloc(arena, length + 1);

	memcpy(copy, text, length);
	return copy;
}
