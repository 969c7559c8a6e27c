/* The entry of every command: parse, help or run; and the commands about the program itself. */
#include "bucardo_machine/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/command.h"

int cli_version(const struct cli_call *call)
{
	(void)call;
	puts("bucardo-machine " BM_VERSION);
	return CLI_OK;
}

bool cli_confirm(const struct cli_call *call, const char *otherwise)
{
	char answer[16];

	if (call->yes) {
		return true;
	}
	if (isatty(STDIN_FILENO) != 1) {
		fprintf(stderr, "bucardo-machine: %s: %s: say --yes\n", call->command->name,
				otherwise);
		return false;
	}
	fputs("Type yes to go on: ", stdout);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) != NULL && strcmp(answer, "yes\n") == 0;
}

/* A line that could not be written is a failure, however well the command went. */
static int flush_output(int rc)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "bucardo-machine: cannot write the output: %m\n");
		return rc != CLI_OK ? rc : CLI_FAILED;
	}
	return rc;
}

int bm_cli_main(int argc, char **argv)
{
	struct bm_error err = BM_ERROR_INIT;
	struct cli_call call;
	char word[] = "version";
	char *version[] = {argv[0], word, NULL};

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		argv = version; /* the word people try first, with every program */
	}
	if (cli_parse(argc, argv, &call, &err) != 0) {
		fprintf(stderr, "bucardo-machine: %s; `bucardo-machine help` explains\n",
				err.message);
		return CLI_USAGE;
	}
	if (call.want_help) {
		cli_print_usage(call.command);
		return flush_output(CLI_OK);
	}
	return flush_output(call.command->run(&call));
}
