/* The commands about machine.yaml that need no machine: check, example, reference. */
#include "bucardo_machine/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "client/cli/command.h"

static int print(void (*fill)(struct bm_strbuf *out))
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	fill(&out);
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
	return CLI_OK;
}

int cli_config_example(const struct cli_call *call)
{
	(void)call;
	return print(bm_config_example);
}

int cli_config_reference(const struct cli_call *call)
{
	(void)call;
	return print(bm_config_reference);
}

static int check(const char *path)
{
	struct bm_strbuf errors = BM_STRBUF_INIT;
	struct bm_config *config = bm_config_load(path, &errors);
	int rc = config != NULL ? CLI_OK : CLI_UNUSABLE;

	if (config != NULL) {
		printf("%s is good\n", path);
	} else {
		fputs(bm_strbuf_text(&errors), stderr);
		fprintf(stderr,
				"bucardo-machine: '%s' would be refused; "
				"`bucardo-machine config reference` explains every key\n",
				path);
	}
	bm_config_destroy(config);
	bm_strbuf_finish(&errors);
	return rc;
}

int cli_config_check(const struct cli_call *call)
{
	if (call->word_count > 0) {
		return check(call->words[0]);
	}
	char *path = bm_format("%s/machine.yaml", call->volume);
	int rc = CLI_OK;
	if (bm_file_is_named(path)) {
		rc = check(path);
	} else {
		printf("there is no %s: the defaults are in force\n", path);
	}
	free(path);
	return rc;
}
