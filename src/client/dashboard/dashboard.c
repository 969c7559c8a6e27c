/* The files of the page, by their paths. */
#include "client/dashboard/dashboard.h"

#include <string.h>

#include "bucardo_machine/macros.h"

const char dashboard_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
				"img-src 'self'; connect-src 'self'; base-uri 'none'; "
				"form-action 'none'; frame-ancestors 'none'";

static const struct dashboard_file files[] = {
#include "client/dashboard/files.inc"
};

const struct dashboard_file *dashboard_find(const char *path)
{
	for (size_t i = 0; i < BM_COUNT_OF(files); i++) {
		if (strcmp(files[i].path, path) == 0) {
			return &files[i];
		}
	}
	return NULL;
}
