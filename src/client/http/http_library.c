/* Loading by hand: one table of names. */
#include "client/http/http_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "bucardo_machine/macros.h"

#define MICROHTTPD "libmicrohttpd.so.12"
#define ZLIB "libz.so.1"

struct http_library http_library;

static const struct {
	const char *name;
	size_t offset;
} functions[] = {
#define HTTP_ROW(name) {"MHD_" #name, offsetof(struct http_library, name)},
		HTTP_MHD_FUNCTIONS(HTTP_ROW)
#undef HTTP_ROW
};

static bool take(void *library, const char *name, size_t offset)
{
	void *found = dlsym(library, name);

	memcpy((char *)&http_library + offset, &found, sizeof(found));
	return found != NULL;
}

static void load_zlib(void)
{
	void *library = dlopen(ZLIB, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL ||
			!take(library, "deflateInit2_",
					offsetof(struct http_library, deflate_init)) ||
			!take(library, "deflate", offsetof(struct http_library, deflate)) ||
			!take(library, "deflateEnd",
					offsetof(struct http_library, deflate_end))) {
		http_library.deflate_init = NULL;
	}
}

int http_library_load(struct bm_error *err)
{
	void *library = dlopen(MICROHTTPD, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"cannot load " MICROHTTPD ": %s. The package libmicrohttpd12 "
				"(libmicrohttpd12t64 in Debian 13) has it; `http: {listen: none}` in "
				"machine.yaml does without",
				dlerror());
	}
	for (size_t i = 0; i < BM_COUNT_OF(functions); i++) {
		if (!take(library, functions[i].name, functions[i].offset)) {
			return bm_error_set(err, BM_ERR_CONFIG,
					MICROHTTPD
					" has no %s: it is too old, 0.9.75 is needed",
					functions[i].name);
		}
	}
	load_zlib();
	return 0;
}
