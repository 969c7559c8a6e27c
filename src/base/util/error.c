/* The error value: filled where something fails, given context on the way up. */
#include "bucardo_machine/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"

static void mark_if_cut(char *text, size_t size, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= size) {
		memcpy(text + size - 4, "...", 4);
	}
}

int bm_error_set(struct bm_error *err, enum bm_error_code code, const char *format, ...)
{
	int saved_errno = errno;
	va_list args;

	if (err == NULL) {
		return -1;
	}
	err->code = code;
	err->os_errno = code == BM_ERR_IO ? saved_errno : 0;
	err->sqlstate[0] = '\0';
	va_start(args, format);
	errno = saved_errno;
	int wanted = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	mark_if_cut(err->message, sizeof(err->message), wanted);
	errno = saved_errno;
	return -1;
}

int bm_error_wrap(struct bm_error *err, const char *format, ...)
{
	char inner[sizeof(err->message)];
	va_list args;

	if (err == NULL) {
		return -1;
	}
	memcpy(inner, err->message, sizeof(inner));
	va_start(args, format);
	int used = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (used < 0 || (size_t)used >= sizeof(err->message)) {
		used = 0;
	}
	size_t room = sizeof(err->message) - (size_t)used;
	int wanted = snprintf(err->message + used, room, used > 0 ? ": %s" : "%s", inner);
	mark_if_cut(err->message + used, room, wanted);
	return -1;
}

const char *bm_error_code_name(enum bm_error_code code)
{
	static const char *const names[] = {
			[BM_ERR_NONE] = "none",
			[BM_ERR_TRANSIENT] = "transient",
			[BM_ERR_CONFIG] = "config",
			[BM_ERR_PRECONDITION] = "precondition",
			[BM_ERR_IO] = "io",
			[BM_ERR_SQL] = "sql",
			[BM_ERR_TIMEOUT] = "timeout",
			[BM_ERR_MOMENTS] = "moments",
			[BM_ERR_NEWER] = "newer",
			[BM_ERR_INTERNAL] = "internal",
	};
	static_assert(BM_COUNT_OF(names) == BM_ERR_INTERNAL + 1, "a code has no name");

	return (size_t)code < BM_COUNT_OF(names) ? names[code] : "unknown";
}
