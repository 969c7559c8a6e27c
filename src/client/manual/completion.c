/*
 * The Tab key: scripts for bash and zsh that ask the program itself what to offer, so that they
 * never grow old.
 */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "client/cli/command.h"
#include "client/commands/control_client.h"
#include "client/manual/offer.h"
#include "client/terminal/text.h"

static const struct {
	const char *shell, *script;
} scripts[] = {
		{"bash",
				"# bash completion of bucardo-machine, written by `bucardo-machine completion bash`\n"
				"_bucardo_machine()\n"
				"{\n"
				"\tlocal offered\n"
				"\tmapfile -t offered < <(bucardo-machine complete \\\n"
				"\t\t\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
				"\tif [[ ${offered[0]} == @files ]]; then\n"
				"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
				"\telse\n"
				"\t\tCOMPREPLY=(\"${offered[@]}\")\n"
				"\tfi\n"
				"}\n"
				"complete -F _bucardo_machine bucardo-machine\n"},
		{"zsh",
				"#compdef bucardo-machine\n"
				"# zsh completion of bucardo-machine, written by `bucardo-machine completion zsh`\n"
				"_bucardo_machine()\n"
				"{\n"
				"\tlocal -a offered\n"
				"\toffered=(${(f)\"$(bucardo-machine complete \\\n"
				"\t\t\"${(@Q)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
				"\tif [[ $offered[1] == @files ]]; then\n"
				"\t\t_files\n"
				"\telse\n"
				"\t\tcompadd -- $offered\n"
				"\tfi\n"
				"}\n"
				"if [[ $funcstack[1] == _bucardo_machine ]]; then\n"
				"\t_bucardo_machine \"$@\"\n"
				"else\n"
				"\tcompdef _bucardo_machine bucardo-machine\n"
				"fi\n"},
};

/* A person waits for the Tab key: no longer than a probe does. */
static int print_names(const char *runtime, const char *list, const char *typed)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(runtime, CLI_PROBE_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &err);
	size_t index;
	const json_t *one;

	if (answer == NULL) {
		fprintf(stderr, "bucardo-machine: %s\n", err.message);
		return CLI_FAILED;
	}
	json_array_foreach(json_object_get(json_object_get(answer, "status"), list), index, one)
	{
		const char *name = cli_text_of(one, "name");
		if (bm_text_begins(name, typed)) {
			puts(name);
		}
	}
	json_decref(answer);
	return CLI_OK;
}

int cli_complete(const struct cli_call *call)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *runtime = call->runtime;
	int rc = CLI_OK;

	cli_offer(call->words, call->word_count, &runtime, &out);
	const char *text = bm_strbuf_text(&out);
	bool are_migrations = bm_text_begins(text, "@migrations");
	if (are_migrations || bm_text_begins(text, "@units")) {
		rc = print_names(runtime, are_migrations ? "migrations" : "units",
				call->words[call->word_count - 1]);
	} else {
		fputs(text, stdout);
	}
	bm_strbuf_finish(&out);
	return rc;
}

int cli_completion(const struct cli_call *call)
{
	const char *shell = call->word_count > 0 ? call->words[0] : "bash";

	for (size_t i = 0; i < BM_COUNT_OF(scripts); i++) {
		if (strcmp(scripts[i].shell, shell) == 0) {
			fputs(scripts[i].script, stdout);
			return CLI_OK;
		}
	}
	fprintf(stderr, "bucardo-machine: there are scripts for bash and zsh, not for '%s'\n",
			shell);
	return CLI_USAGE;
}
