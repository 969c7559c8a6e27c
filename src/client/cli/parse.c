/*
 * From argv to a struct cli_call. Options may stand anywhere before `--`; each is
 * checked against the set its command takes, so that a misplaced one is an error
 * and not a silent wish.
 */
#include "client/cli/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/words.h"

#define DEFAULT_VOLUME "/var/lib/bucardo-machine"
#define DEFAULT_RUNTIME "/run/bucardo-machine"
#define DEFAULT_PGPASS "/etc/bucardo-machine/pgpass/pgpass"

/* getopt's value for --help; the others return the place of their bit. */
#define HELP 'h'
#define VALUE(option) (256 + __builtin_ctzll(option))
#define OPTION(value) ((cli_options)1 << ((value)-256))

static const struct option options[] = {
		{"accept", required_argument, NULL, VALUE(CLI_ACCEPT)},
		{"accept-moments", no_argument, NULL, VALUE(CLI_ACCEPT_MOMENTS)},
		{"all", no_argument, NULL, VALUE(CLI_SHOW_ALL)},
		{"budget", required_argument, NULL, VALUE(CLI_BUDGET)},
		{"check", no_argument, NULL, VALUE(CLI_CHECK)},
		{"chunk", required_argument, NULL, VALUE(CLI_CHUNK)},
		{"delete-extra", no_argument, NULL, VALUE(CLI_DELETE_EXTRA)},
		{"destination", required_argument, NULL, VALUE(CLI_DESTINATION)},
		{"exclude", required_argument, NULL, VALUE(CLI_EXCLUDE)},
		{"expect", required_argument, NULL, VALUE(CLI_EXPECT)},
		{"fix", no_argument, NULL, VALUE(CLI_FIX)},
		{"follow", no_argument, NULL, VALUE(CLI_FOLLOW)},
		{"group", no_argument, NULL, VALUE(CLI_GROUP)},
		{"hash", required_argument, NULL, VALUE(CLI_HASH)},
		{"help", no_argument, NULL, HELP},
		{"include", required_argument, NULL, VALUE(CLI_INCLUDE)},
		{"incremental", no_argument, NULL, VALUE(CLI_INCREMENTAL)},
		{"jobs", required_argument, NULL, VALUE(CLI_JOBS)},
		{"json", no_argument, NULL, VALUE(CLI_JSON)},
		{"keep-signals", no_argument, NULL, VALUE(CLI_KEEP_SIGNALS)},
		{"log-format", required_argument, NULL, VALUE(CLI_LOG_FORMAT)},
		{"log-level", required_argument, NULL, VALUE(CLI_LOG_LEVEL)},
		{"max-rate", required_argument, NULL, VALUE(CLI_MAX_RATE)},
		{"max-snapshot", required_argument, NULL, VALUE(CLI_MAX_SNAPSHOT)},
		{"output", required_argument, NULL, VALUE(CLI_OUTPUT)},
		{"pgpass", required_argument, NULL, VALUE(CLI_PGPASS)},
		{"rehearse", no_argument, NULL, VALUE(CLI_REHEARSE)},
		{"repair", no_argument, NULL, VALUE(CLI_REPAIR)},
		{"report", required_argument, NULL, VALUE(CLI_REPORT)},
		{"rewrite", required_argument, NULL, VALUE(CLI_REWRITE)},
		{"runtime", required_argument, NULL, VALUE(CLI_RUNTIME)},
		{"show-values", no_argument, NULL, VALUE(CLI_SHOW_VALUES)},
		{"since", required_argument, NULL, VALUE(CLI_SINCE)},
		{"source", required_argument, NULL, VALUE(CLI_SOURCE)},
		{"strict", no_argument, NULL, VALUE(CLI_STRICT)},
		{"table", required_argument, NULL, VALUE(CLI_TABLE)},
		{"throttle", no_argument, NULL, VALUE(CLI_THROTTLE)},
		{"until", required_argument, NULL, VALUE(CLI_UNTIL)},
		{"verify", no_argument, NULL, VALUE(CLI_VERIFY)},
		{"volume", required_argument, NULL, VALUE(CLI_VOLUME)},
		{"wait", required_argument, NULL, VALUE(CLI_WAIT)},
		{"without", required_argument, NULL, VALUE(CLI_WITHOUT)},
		{"watch", no_argument, NULL, VALUE(CLI_WATCH)},
		{"yes", no_argument, NULL, VALUE(CLI_YES)},
		{NULL, 0, NULL, 0},
};

static const char *option_name(cli_options option)
{
	for (const struct option *o = options; o->name != NULL; o++) {
		if (o->val == VALUE(option)) {
			return o->name;
		}
	}
	return "?";
}

const char *cli_option_at(size_t index, cli_options *option, bool *takes_value)
{
	const struct option *o = &options[index];

	if (option != NULL) {
		*option = o->val < VALUE(1) ? 0 : OPTION(o->val);
	}
	if (takes_value != NULL) {
		*takes_value = o->has_arg == required_argument;
	}
	return o->name;
}

/* ---- near misses ---- */

static const char *option_name_at(const void *ctx, size_t index)
{
	(void)ctx;
	return cli_option_at(index, NULL, NULL);
}

static int unknown_option(const char *word, struct bm_error *err)
{
	const char *name = word + strspn(word, "-");
	const char *meant = bm_words_nearest(name, option_name_at, NULL);

	if (meant == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG, "unknown option '%s'", word);
	}
	return bm_error_set(err, BM_ERR_CONFIG, "unknown option '%s'; did you mean '--%s'?",
			word, meant);
}

static const char *from_environment(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : fallback;
}

/* Options as `letters` has getopt take them; the set of those seen goes to `seen`, optind to
 * the first word. */
static int take_options(int argc, char **argv, const char *letters, struct cli_call *call,
		cli_options *seen, struct bm_error *err)
{
	int value;

	optind = 0; /* GNU: forget an earlier scan (tests parse many lines) */
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (value == HELP) {
			call->want_help = true;
		} else if (value == ':') {
			return bm_error_set(err, BM_ERR_CONFIG, "option '%s' needs a value",
					argv[optind - 1]);
		} else if (value == '?') {
			return unknown_option(argv[optind - 1], err);
		} else {
			*seen |= OPTION(value);
			if (cli_take_option(call, OPTION(value), optarg, err) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

/* Names of two words go first: `config` alone is no command. */
static bool find_command(struct cli_call *call)
{
	struct bm_strbuf name = BM_STRBUF_INIT;
	size_t used = 0;

	if (call->word_count == 0) {
		call->command = cli_command_find("help");
		return true;
	}
	if (call->word_count > 1) {
		bm_strbuf_printf(&name, "%s %s", call->words[0], call->words[1]);
		call->command = cli_command_find(bm_strbuf_text(&name));
		used = 2;
	}
	if (call->command == NULL) {
		call->command = cli_command_find(call->words[0]);
		used = 1;
	}
	bm_strbuf_finish(&name);
	if (call->command == NULL) {
		return false;
	}
	call->words += used;
	call->word_count -= used;
	return true;
}

/* What can follow `word`, for somebody who typed half a command: "check, show, ...". */
static void list_second_words(const char *word, struct bm_strbuf *out)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);
	size_t length = strlen(word);

	for (size_t i = 0; i < count; i++) {
		if (strncmp(commands[i].name, word, length) == 0 &&
				commands[i].name[length] == ' ') {
			bm_strbuf_printf(out, "%s%s", out->length > 0 ? ", " : "",
					commands[i].name + length + 1);
		}
	}
}

static int unknown_command(const struct cli_call *call, struct bm_error *err)
{
	struct bm_strbuf possible = BM_STRBUF_INIT;

	list_second_words(call->words[0], &possible);
	if (possible.length == 0) {
		struct bm_strbuf meant = BM_STRBUF_INIT;
		cli_suggest_command(call->words[0], &meant);
		bm_error_set(err, BM_ERR_CONFIG, "there is no command '%s'%s", call->words[0],
				bm_strbuf_text(&meant));
		bm_strbuf_finish(&meant);
	} else if (call->word_count == 1) {
		bm_error_set(err, BM_ERR_CONFIG, "'%s' needs one more word: %s", call->words[0],
				bm_strbuf_text(&possible));
	} else {
		bm_error_set(err, BM_ERR_CONFIG,
				"there is no command '%s %s'; after '%s' comes: %s",
				call->words[0], call->words[1], call->words[0],
				bm_strbuf_text(&possible));
	}
	bm_strbuf_finish(&possible);
	return -1;
}

static int check_grammar(const struct cli_call *call, cli_options seen, struct bm_error *err)
{
	const struct cli_command *command = call->command;
	cli_options foreign = seen & ~command->options;

	if (call->want_help) {
		return 0;
	}
	if (foreign != 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "'%s' takes no option --%s",
				command->name, option_name(foreign & -foreign));
	}
	if (call->child == NULL && (seen & CLI_OF_CHILD) != 0) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"--%s is for a command of somebody else: `run --%s ... -- COMMAND`",
				option_name(seen & CLI_OF_CHILD & -(seen & CLI_OF_CHILD)),
				option_name(seen & CLI_OF_CHILD & -(seen & CLI_OF_CHILD)));
	}
	if (call->word_count < command->least) {
		return bm_error_set(err, BM_ERR_CONFIG, "'%s' needs %s", command->name,
				command->arguments);
	}
	if (call->word_count > command->most) {
		return bm_error_set(err, BM_ERR_CONFIG, "'%s' does not expect the word '%s'%s",
				command->name, call->words[command->most],
				command->takes_child ? " (put -- before a command to be run)"
						     : "");
	}
	if (call->child != NULL && (!command->takes_child || call->child[0] == NULL)) {
		return bm_error_set(err, BM_ERR_CONFIG,
				command->takes_child ? "'%s --' needs a command to run"
						     : "'%s' takes nothing after --",
				command->name);
	}
	return 0;
}

/*
 * After `run` come its options, then somebody else's program, with or without a `--` before.
 * An image whose entry is `run` gets `podman run IMAGE status` as `run status`: without the
 * `--`, a command of ours is our own program's, run as any other with the manners of an init.
 * Its path takes the place of the word before, which has been understood.
 */
static int parse_run(int argc, char **argv, struct cli_call *call, cli_options *seen,
		struct bm_error *err)
{
	static char self[] = "/proc/self/exe";

	if (take_options(argc, argv, "+:h", call, seen, err) != 0) {
		return -1;
	}
	bool dashes = strcmp(argv[optind - 1], "--") == 0;
	if (!dashes && optind < argc && strcmp(argv[optind], "run") == 0) {
		return parse_run(argc - optind, argv + optind, call, seen, err);
	}
	if (optind < argc || dashes) {
		call->child = argv + optind;
	}
	if (!dashes && optind < argc && cli_command_begins(argv[optind])) {
		argv[optind - 1] = self;
		call->child = argv + optind - 1;
	}
	return check_grammar(call, *seen, err);
}

/* Cut the line at the first `--`: what follows belongs to somebody else's program. */
static int cut_child(int argc, char **argv, struct cli_call *call)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			call->child = argv + i + 1;
			return i;
		}
	}
	return argc;
}

int cli_parse(int argc, char **argv, struct cli_call *out, struct bm_error *err)
{
	cli_options seen = 0;

	*out = (struct cli_call){
			.volume = from_environment("BUCARDO_MACHINE_VOLUME", DEFAULT_VOLUME),
			.runtime = from_environment("BUCARDO_MACHINE_RUNTIME", DEFAULT_RUNTIME),
			.pgpass = from_environment("BUCARDO_MACHINE_PGPASS", DEFAULT_PGPASS),
			.log_level = BM_LOG_INFO,
	};
	const struct cli_command *first = argc > 1 ? cli_command_find(argv[1]) : NULL;
	if (first != NULL && first->raw) {
		out->command = first;
		out->words = argv + 2;
		out->word_count = (size_t)argc - 2;
		return 0;
	}
	if (first != NULL && first->takes_child) {
		out->command = first;
		return parse_run(argc - 1, argv + 1, out, &seen, err);
	}
	argc = cut_child(argc, argv, out);
	if (take_options(argc, argv, ":h", out, &seen, err) != 0) {
		return -1;
	}
	out->words = argv + optind;
	out->word_count = (size_t)(argc - optind);
	if (!find_command(out)) {
		return unknown_command(out, err);
	}
	return check_grammar(out, seen, err);
}
