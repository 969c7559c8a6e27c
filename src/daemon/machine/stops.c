/* The files of operators' stops on the volume. */
#include "daemon/machine/stops.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"

#define MARK_LIMIT_BYTES 4096

static char *stop_path(const char *volume, const char *unit)
{
	return bm_format("%s/stopped/%s", volume, unit);
}

static void parse_stop(const char *text, struct bm_stop *stop)
{
	json_t *object = json_loads(text, 0, NULL);
	const char *by = json_string_value(json_object_get(object, "by"));

	bm_text_copy(stop->by, sizeof(stop->by), by != NULL ? by : "an unreadable file");
	stop->at = json_integer_value(json_object_get(object, "at"));
	json_decref(object);
}

void bm_stop_load(const char *volume, const char *unit, struct bm_stop *stop)
{
	char *path = stop_path(volume, unit);
	struct bm_strbuf text = BM_STRBUF_INIT;

	*stop = (struct bm_stop){.stopped = bm_file_exists(path)};
	if (stop->stopped) {
		bm_file_load(path, MARK_LIMIT_BYTES, &text, NULL);
		parse_stop(bm_strbuf_text(&text), stop);
	}
	bm_strbuf_finish(&text);
	free(path);
}

/* Reasons come from people and files: what is not printable ASCII becomes '?'. */
static void copy_printable(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
	for (char *p = out; *p != '\0'; p++) {
		*p = *p < ' ' || *p > '~' ? '?' : *p;
	}
}

int bm_stop_store(const char *volume, const char *unit, const char *by, struct bm_stop *stop,
		struct bm_error *err)
{
	struct bm_stop wanted = {.stopped = true, .at = bm_clock_wall_msec()};
	char *folder = bm_format("%s/stopped", volume);
	char *path = stop_path(volume, unit);

	copy_printable(wanted.by, sizeof(wanted.by), by);
	json_t *object = json_pack("{s:I, s:s}", "at", (json_int_t)wanted.at, "by", wanted.by);
	char *text = json_dumps(object, JSON_COMPACT);
	int rc = bm_file_make_folders(folder, 0700, err);

	if (rc == 0) {
		rc = bm_file_replace(path, text, strlen(text), 0600, err);
	}
	if (rc == 0) {
		*stop = wanted;
	}
	free(text);
	json_decref(object);
	free(path);
	free(folder);
	return rc;
}

int bm_stop_remove(const char *volume, const char *unit, struct bm_stop *stop,
		struct bm_error *err)
{
	char *path = stop_path(volume, unit);
	int rc = 0;

	if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR) {
		rc = bm_error_set(err, BM_ERR_IO, "cannot remove '%s': %m", path);
	} else {
		*stop = (struct bm_stop){0};
	}
	free(path);
	return rc;
}
