/* Allocation that aborts instead of failing. */
#include "bucardo_machine/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *memory)
{
	if (memory == NULL) {
		fputs("bucardo-machine: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *bm_alloc(size_t size)
{
	return or_abort(calloc(1, size > 0 ? size : 1));
}

void *bm_realloc(void *old, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		return or_abort(NULL);
	}
	return or_abort(realloc(old, count * size > 0 ? count * size : 1));
}

char *bm_strdup(const char *text)
{
	return text != NULL ? or_abort(strdup(text)) : NULL;
}

char *bm_strndup(const char *text, size_t length)
{
	return or_abort(strndup(text, length));
}

char *bm_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	return or_abort(length >= 0 ? text : NULL);
}
