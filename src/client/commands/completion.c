/* The Tab key in bash: a script made of the table of commands, and the names it asks for. */
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/strbuf.h"
#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/text.h"

static const char head[] =
		"# bash completion of bucardo-machine, written by `bucardo-machine completion`\n"
		"_bucardo_machine()\n"
		"{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal name= place=0 i word words= options=\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tword=${COMP_WORDS[i]}\n"
		"\t\tcase $word in\n"
		"\t\t%s) ((i++)) ;;\n" /* options with a value */
		"\t\t-*) ;;\n"
		"\t\t*)\n"
		"\t\t\tif [[ -z $name ]]; then name=$word\n"
		"\t\t\telif [[ ' %s ' == *\" $name \"* ]]; then name+=\" $word\"\n" /* pairs */
		"\t\t\telse ((++place)); fi ;;\n"
		"\t\tesac\n"
		"\tdone\n";

static const char tail[] = "\t[[ $cur == -* ]] && words=\"$options --help\"\n"
			   "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
			   "}\n"
			   "complete -F _bucardo_machine bucardo-machine\n";

/* What an option's value may be; of the others files are offered. */
static void add_values(struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "\tcase $before in\n\t--until) words='");
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		bm_strbuf_printf(out, "%s%s", phase > 0 ? " " : "", bm_phase_name(phase));
	}
	bm_strbuf_puts(out,
			"'; name=- ;;\n"
			"\t--log-format) words='auto text json'; name=- ;;\n"
			"\t--log-level) words='debug info warn error'; name=- ;;\n"
			"\t--without) words='source destination both'; name=- ;;\n"
			"\t--hash) words='native sha256'; name=- ;;\n"
			"\t--runtime|--volume|--pgpass|--report)\n"
			"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
			"\tesac\n");
}

static void add_option_list(cli_options wanted, bool with_value, const char *separator,
		const char *before, struct bm_strbuf *out)
{
	const char *name;
	cli_options option;
	bool takes_value, first = true;

	for (size_t i = 0; (name = cli_option_at(i, &option, &takes_value)) != NULL; i++) {
		if ((wanted & option) != 0 && (!with_value || takes_value)) {
			bm_strbuf_printf(out, "%s%s%s", first ? "" : separator, before, name);
			first = false;
		}
	}
}

/* "accept clone config ..."; each first word once. With `pairs` those of two words only. */
static void add_first_words(bool pairs, struct bm_strbuf *out)
{
	size_t count, length = 0;
	const struct cli_command *commands = cli_commands(&count);
	const char *last = "";
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		size_t first = strcspn(commands[i].name, " ");
		bool pair = commands[i].name[first] == ' ';
		bool told = first == length && strncmp(last, commands[i].name, first) == 0;
		if (commands[i].task == CLI_TASK_NONE || told || (pairs && !pair)) {
			continue;
		}
		bm_strbuf_printf(out, "%s%.*s", any ? " " : "", (int)first, commands[i].name);
		last = commands[i].name;
		length = first;
		any = true;
	}
}

static void add_words(const char *words, struct bm_strbuf *out)
{
	if (strcmp(words, "@commands") == 0) {
		bm_strbuf_puts(out, "'");
		add_first_words(false, out);
		bm_strbuf_puts(out, "'");
	} else if (words[0] == '@') {
		bm_strbuf_printf(
				out, "$(bucardo-machine completion %s 2>/dev/null)", words + 1);
	} else {
		bm_strbuf_printf(out, "'%s'", words);
	}
}

/* The second words of commands of two: "config:0) words='check example ...'". */
static void add_pairs(struct bm_strbuf *out)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		size_t first = strcspn(commands[i].name, " ");
		if (commands[i].name[first] == '\0') {
			continue;
		}
		bool begins = i == 0 ||
				strncmp(commands[i - 1].name, commands[i].name, first + 1) != 0;
		if (begins) {
			bm_strbuf_printf(
					out, "\t%.*s:0) words='", (int)first, commands[i].name);
		}
		bm_strbuf_printf(out, "%s%s", begins ? "" : " ", commands[i].name + first + 1);
		if (i + 1 == count ||
				strncmp(commands[i + 1].name, commands[i].name, first + 1) !=
						0) {
			bm_strbuf_puts(out, "' ;;\n");
		}
	}
}

static void add_commands(struct bm_strbuf *out)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	bm_strbuf_puts(out, "\tcase $name:$place in\n\t:0) words='");
	add_first_words(false, out);
	bm_strbuf_puts(out, "' ;;\n");
	add_pairs(out);
	for (size_t i = 0; i < count; i++) {
		const char *const words[] = {commands[i].first, commands[i].second};
		for (size_t place = 0; place < BM_COUNT_OF(words); place++) {
			if (words[place] != NULL) {
				bm_strbuf_printf(out, "\t'%s:%zu') words=", commands[i].name,
						place);
				add_words(words[place], out);
				bm_strbuf_puts(out, " ;;\n");
			}
		}
	}
	bm_strbuf_puts(out, "\tesac\n\tcase $name in\n");
	for (size_t i = 0; i < count; i++) {
		bm_strbuf_printf(out, "\t'%s') options='", commands[i].name);
		add_option_list(commands[i].options, false, " ", "--", out);
		bm_strbuf_puts(out, "' ;;\n");
	}
	bm_strbuf_puts(out, "\tesac\n");
}

static void print_script(void)
{
	struct bm_strbuf out = BM_STRBUF_INIT, values = BM_STRBUF_INIT, pairs = BM_STRBUF_INIT;

	add_option_list(~0U, true, "|", "--", &values);
	add_first_words(true, &pairs);
	bm_strbuf_printf(&out, head, bm_strbuf_text(&values), bm_strbuf_text(&pairs));
	add_values(&out);
	add_commands(&out);
	bm_strbuf_puts(&out, tail);
	fputs(bm_strbuf_text(&out), stdout);
	bm_strbuf_finish(&out);
	bm_strbuf_finish(&values);
	bm_strbuf_finish(&pairs);
}

/* A person waits for the Tab key: no longer than a probe does. */
static int print_names(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(call->runtime, CLI_PROBE_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &err);
	size_t index;
	const json_t *one;

	if (answer == NULL) {
		fprintf(stderr, "bucardo-machine: %s\n", err.message);
		return CLI_FAILED;
	}
	json_array_foreach(json_object_get(json_object_get(answer, "status"), call->words[0]),
			index, one)
	{
		puts(cli_text_of(one, "name"));
	}
	json_decref(answer);
	return CLI_OK;
}

int cli_completion(const struct cli_call *call)
{
	if (call->word_count == 0) {
		print_script();
		return CLI_OK;
	}
	if (strcmp(call->words[0], "migrations") != 0 && strcmp(call->words[0], "units") != 0) {
		fprintf(stderr,
				"bucardo-machine: there are names of migrations and of units, not "
				"of '%s'\n",
				call->words[0]);
		return CLI_USAGE;
	}
	return print_names(call);
}
