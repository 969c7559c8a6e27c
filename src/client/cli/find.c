/* A command by its name, or by the one that was meant. */
#include <string.h>

#include "bucardo_machine/words.h"
#include "client/cli/command.h"

bool cli_command_begins(const char *word)
{
	size_t count, length = strlen(word);
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		const char *name = commands[i].name;
		if (strncmp(name, word, length) == 0 &&
				(name[length] == '\0' || name[length] == ' ')) {
			return length > 0;
		}
	}
	return false;
}

const struct cli_command *cli_command_find(const char *name)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static const char *command_name_at(const void *ctx, size_t index)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	(void)ctx;
	return index < count ? commands[index].name : NULL;
}

void cli_suggest_command(const char *word, struct bm_strbuf *out)
{
	const char *meant = bm_words_nearest(word, command_name_at, NULL);

	if (meant != NULL) {
		bm_strbuf_printf(out, "; did you mean '%s'?", meant);
	}
}
