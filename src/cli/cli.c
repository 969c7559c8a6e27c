/* The entry of every command: parse, help or run; and the commands about the program itself. */
#include "bucardo_machine/cli.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/strbuf.h"
#include "cli/command.h"

static void print_usage(const struct cli_command *command)
{
	printf("usage: bucardo-machine %s", command->name);
	if ((command->options & CLI_RUNTIME) != 0) {
		printf(" [--runtime DIR]");
	}
	if (command->arguments != NULL) {
		printf(" %s", command->arguments);
	}
	printf("\n\n%s.\n", command->summary);
	if (command->help[0] != '\0') {
		printf("\n%s", command->help);
	}
}

/* What is too long for its column has the rest on the next line. */
static void print_row(const char *left, const char *summary)
{
	if (strlen(left) <= 25) {
		printf("  %-25s %s\n", left, summary);
	} else {
		printf("  %s\n%28s%s\n", left, "", summary);
	}
}

static void print_commands(void)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	puts("bucardo-machine keeps PostgreSQL and Bucardo replicating.\n\n"
	     "usage: bucardo-machine COMMAND [OPTION...]\n");
	for (size_t i = 0; i < count; i++) {
		char left[64];
		snprintf(left, sizeof(left), "%s%s%s", commands[i].name,
				commands[i].arguments != NULL ? " " : "",
				commands[i].arguments != NULL ? commands[i].arguments : "");
		print_row(left, commands[i].summary);
	}
	puts("\n`bucardo-machine help COMMAND` explains one. Exit codes: 0 done, 1 failed or no,\n"
	     "2 wrong usage, 3 configuration or volume unusable, 4 a clone of several moments.");
}

/* `help config` lists what can follow. Returns how many were printed. */
static size_t print_group(const char *word)
{
	size_t count, printed = 0;
	const struct cli_command *commands = cli_commands(&count);
	size_t length = strlen(word);

	for (size_t i = 0; i < count; i++) {
		if (strncmp(commands[i].name, word, length) == 0 &&
				commands[i].name[length] == ' ') {
			print_row(commands[i].name, commands[i].summary);
			printed++;
		}
	}
	return printed;
}

int cli_help(const struct cli_call *call)
{
	struct bm_strbuf name = BM_STRBUF_INIT;

	if (call->word_count == 0) {
		print_commands();
		return CLI_OK;
	}
	for (size_t i = 0; i < call->word_count; i++) {
		bm_strbuf_printf(&name, "%s%s", i > 0 ? " " : "", call->words[i]);
	}
	const struct cli_command *command = cli_command_find(bm_strbuf_text(&name));
	int rc = CLI_OK;
	if (command != NULL) {
		print_usage(command);
	} else if (print_group(bm_strbuf_text(&name)) == 0) {
		fprintf(stderr,
				"bucardo-machine: there is no command '%s'; "
				"`bucardo-machine help` lists them\n",
				bm_strbuf_text(&name));
		rc = CLI_USAGE;
	}
	bm_strbuf_finish(&name);
	return rc;
}

int cli_version(const struct cli_call *call)
{
	(void)call;
	puts("bucardo-machine " BM_VERSION);
	return CLI_OK;
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
		if (call.command->run == cli_help) {
			print_commands();
		} else {
			print_usage(call.command);
		}
		return flush_output(CLI_OK);
	}
	return flush_output(call.command->run(&call));
}
