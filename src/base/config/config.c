/* The life of a configuration: made of defaults or of a file, destroyed as one arena. */
#include "bucardo_machine/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/macros.h"
#include "base/util/arena.h"
#include "base/config/load.h"
#include "base/config/problems.h"
#include "base/config/yaml_tree.h"

/* The arena cannot hold itself, so this is the one block beside it. */
struct holder {
	struct bm_config config;
	struct bm_arena arena;
};

static struct holder *holder_create(void)
{
	struct holder *holder = bm_alloc(sizeof(*holder));

	bm_load_defaults("", &holder->config);
	return holder;
}

struct bm_config *bm_config_create_default(void)
{
	return &holder_create()->config;
}

void bm_config_destroy(struct bm_config *config)
{
	if (config == NULL) {
		return;
	}
	struct holder *holder = BM_CONTAINER_OF(config, struct holder, config);
	bm_arena_finish(&holder->arena);
	free(holder);
}

struct bm_config *bm_config_parse(
		const char *name, const char *text, size_t length, struct bm_strbuf *errors)
{
	struct bm_report report = {.file = name};
	struct bm_arena scratch = {NULL};

	if (length > BM_CONFIG_LIMIT_BYTES) {
		bm_strbuf_printf(errors, "%s: %zu bytes; at most %zu are read\n", name, length,
				BM_CONFIG_LIMIT_BYTES);
		return NULL;
	}
	struct holder *holder = holder_create();
	struct bm_node *root = bm_tree_parse(&scratch, text, length, &report);
	if (root != NULL) {
		bm_load_tree(&holder->config, &holder->arena, root, &report);
		bm_load_cross_check(&holder->config, root, &report);
	}
	bm_report_finish(&report, errors);
	bm_arena_finish(&scratch);
	if (report.count > 0) {
		bm_config_destroy(&holder->config);
		return NULL;
	}
	return &holder->config;
}

/* Folders, FIFOs and devices are refused before they are opened. */
static int check_regular(const char *path, struct bm_error *err)
{
	struct stat info;

	if (stat(path, &info) != 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot read '%s': %m", path);
	}
	if (!S_ISREG(info.st_mode)) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"'%s' is not a regular file; write the configuration as a file",
				path);
	}
	return 0;
}

struct bm_config *bm_config_load(const char *path, struct bm_strbuf *errors)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;
	struct bm_config *config = NULL;

	if (check_regular(path, &err) != 0 ||
			bm_file_load(path, BM_CONFIG_LIMIT_BYTES, &text, &err) != 0) {
		bm_strbuf_printf(errors, "%s: %s\n", path, err.message);
	} else {
		config = bm_config_parse(path, bm_strbuf_text(&text), text.length, errors);
	}
	bm_strbuf_finish(&text);
	return config;
}
