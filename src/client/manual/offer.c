/* What the Tab key offers: a walk over the words that were typed, then one list. */
#include "client/manual/offer.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "client/cli/command.h"

/* What was typed before the word that is being typed. */
struct typed {
	char name[64]; /* of the command, as far as it is there: "", "config", "config check" */
	size_t place;  /* which of its words comes next */
	const char *option; /* whose value comes next, without "--"; NULL: none */
};

/* Of options whose value is one of a few words, or a file. */
static const struct {
	const char *option, *words;
} values[] = {
		{"hash", "native sha256"},
		{"log-format", "auto text json"},
		{"log-level", "debug info warn error"},
		{"output", "@files"},
		{"pgpass", "@files"},
		{"report", "@files"},
		{"runtime", "@files"},
		{"until", "@phases"},
		{"volume", "@files"},
		{"without", "source destination both"},
};

static void offer(const char *word, size_t length, const char *typed, struct bm_strbuf *out)
{
	size_t begin = strlen(typed);

	if (word[0] == '@' || (begin <= length && strncmp(word, typed, begin) == 0)) {
		bm_strbuf_add(out, word, length);
		bm_strbuf_putc(out, '\n');
	}
}

static void offer_phases(const char *typed, struct bm_strbuf *out)
{
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		const char *name = bm_phase_name(phase);
		offer(name, strlen(name), typed, out);
	}
}

/* Words with blanks between them, or "@..." */
static void offer_words(const char *words, const char *typed, struct bm_strbuf *out)
{
	if (strcmp(words, "@phases") == 0) {
		offer_phases(typed, out);
		return;
	}
	while (*words != '\0') {
		size_t length = strcspn(words, " ");
		offer(words, length, typed, out);
		words += length + (words[length] == ' ');
	}
}

/* ---- commands ---- */

static bool is_pair(const char *word)
{
	size_t count, length = strlen(word);
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (strncmp(commands[i].name, word, length) == 0 &&
				commands[i].name[length] == ' ') {
			return true;
		}
	}
	return false;
}

/* The first words of all commands, or the second ones of those that begin with `first`. */
static void offer_commands(const char *first, const char *typed, struct bm_strbuf *out)
{
	size_t count, skip = first[0] != '\0' ? strlen(first) + 1 : 0, length = 0;
	const struct cli_command *commands = cli_commands(&count);
	const char *last = "";

	for (size_t i = 0; i < count; i++) {
		const char *name = commands[i].name;
		if (commands[i].task == CLI_TASK_NONE ||
				strncmp(name, first, skip > 0 ? skip - 1 : 0) != 0 ||
				(skip > 0 && name[skip - 1] != ' ')) {
			continue;
		}
		bool is_told = length > 0 && strcspn(name + skip, " ") == length &&
				strncmp(last, name + skip, length) == 0;
		last = name + skip;
		length = strcspn(last, " ");
		if (!is_told) {
			offer(last, length, typed, out);
		}
	}
}

static void offer_options(
		const struct cli_command *command, const char *typed, struct bm_strbuf *out)
{
	const char *name;
	char option_name[40];
	cli_options option;

	for (size_t i = 0; (name = cli_option_at(i, &option, NULL)) != NULL; i++) {
		if (option == 0 || (command->options & option) != 0) {
			int length = snprintf(option_name, sizeof(option_name), "--%s", name);
			offer(option_name, (size_t)length, typed, out);
		}
	}
}

/* ---- what was typed ---- */

/* The option's name where its value comes next, else NULL. */
static const char *option_of_value(const char *word)
{
	const char *name;
	bool takes_value;

	for (size_t i = 0; (name = cli_option_at(i, NULL, &takes_value)) != NULL; i++) {
		if (takes_value && strcmp(word + 2, name) == 0) {
			return name;
		}
	}
	return NULL;
}

static void take_word(struct typed *typed, const char *word)
{
	size_t length = strlen(typed->name);

	if (length == 0) {
		bm_text_copy(typed->name, sizeof(typed->name), word);
	} else if (is_pair(typed->name)) {
		snprintf(typed->name + length, sizeof(typed->name) - length, " %s", word);
	} else {
		typed->place++;
	}
}

static struct typed understand(char *const *words, size_t count, const char **runtime)
{
	struct typed typed = {.name = ""};

	for (size_t i = 0; i < count; i++) {
		if (typed.option != NULL) {
			*runtime = strcmp(typed.option, "runtime") == 0 ? words[i] : *runtime;
			typed.option = NULL;
		} else if (strncmp(words[i], "--", 2) == 0) {
			typed.option = option_of_value(words[i]);
		} else {
			take_word(&typed, words[i]);
		}
	}
	return typed;
}

static void offer_value(const char *option, const char *typed, struct bm_strbuf *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(values); i++) {
		if (strcmp(values[i].option, option) == 0) {
			offer_words(values[i].words, typed, out);
		}
	}
}

void cli_offer(char *const *words, size_t count, const char **runtime, struct bm_strbuf *out)
{
	const char *last = count > 0 ? words[count - 1] : "";
	const struct typed typed = understand(words, count > 0 ? count - 1 : 0, runtime);
	const struct cli_command *command = cli_command_find(typed.name);

	if (typed.option != NULL) {
		offer_value(typed.option, last, out);
	} else if (typed.name[0] == '\0' || is_pair(typed.name)) {
		offer_commands(typed.name, last, out);
	} else if (command != NULL && last[0] == '-') {
		offer_options(command, last, out);
	} else if (command != NULL && typed.place < 2) {
		const char *choices = typed.place == 0 ? command->first : command->second;
		if (choices != NULL && strcmp(choices, "@commands") == 0) {
			offer_commands("", last, out);
		} else if (choices != NULL) {
			offer_words(choices, last, out);
		}
	}
}
