/*
 * From argv to a struct cli_call. Options may stand anywhere before `--`; each is
 * checked against the set its command takes, so that a misplaced one is an error
 * and not a silent wish.
 */
#include "cli/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/pattern.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/words.h"

#define DEFAULT_VOLUME "/var/lib/bucardo-machine"
#define DEFAULT_RUNTIME "/run/bucardo-machine"
#define DEFAULT_PGPASS "/etc/bucardo-machine/pgpass/pgpass"

/* getopt's value for --help; the others return their bit of enum cli_option. */
#define HELP 'h'

static const struct option options[] = {
		{"accept-moments", no_argument, NULL, CLI_ACCEPT_MOMENTS << 8},
		{"all", no_argument, NULL, CLI_SHOW_ALL << 8},
		{"chunk", required_argument, NULL, CLI_CHUNK << 8},
		{"destination", required_argument, NULL, CLI_DESTINATION << 8},
		{"exclude", required_argument, NULL, CLI_EXCLUDE << 8},
		{"fix", no_argument, NULL, CLI_FIX << 8},
		{"follow", no_argument, NULL, CLI_FOLLOW << 8},
		{"gentle", no_argument, NULL, CLI_GENTLE << 8},
		{"help", no_argument, NULL, HELP},
		{"include", required_argument, NULL, CLI_INCLUDE << 8},
		{"jobs", required_argument, NULL, CLI_JOBS << 8},
		{"json", no_argument, NULL, CLI_JSON << 8},
		{"log-format", required_argument, NULL, CLI_LOG_FORMAT << 8},
		{"log-level", required_argument, NULL, CLI_LOG_LEVEL << 8},
		{"max-rate", required_argument, NULL, CLI_MAX_RATE << 8},
		{"pgpass", required_argument, NULL, CLI_PGPASS << 8},
		{"runtime", required_argument, NULL, CLI_RUNTIME << 8},
		{"since", required_argument, NULL, CLI_SINCE << 8},
		{"source", required_argument, NULL, CLI_SOURCE << 8},
		{"strict", no_argument, NULL, CLI_STRICT << 8},
		{"until", required_argument, NULL, CLI_UNTIL << 8},
		{"volume", required_argument, NULL, CLI_VOLUME << 8},
		{"watch", no_argument, NULL, CLI_WATCH << 8},
		{"yes", no_argument, NULL, CLI_YES << 8},
		{NULL, 0, NULL, 0},
};

static const char *option_name(unsigned option)
{
	for (const struct option *o = options; o->name != NULL; o++) {
		if (o->val == (int)(option << 8)) {
			return o->name;
		}
	}
	return "?";
}

const char *cli_option_at(size_t index, unsigned *option, bool *takes_value)
{
	const struct option *o = &options[index];

	if (option != NULL) {
		*option = o->val == HELP ? 0 : (unsigned)o->val >> 8;
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

static const char *phase_name_at(const void *ctx, size_t index)
{
	(void)ctx;
	return index < BM_PHASE_COUNT ? bm_phase_name((enum bm_phase)index) : NULL;
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

/* One that is far from all is the machine's to refuse: it knows which are still to come. */
static int parse_until(struct cli_call *call, const char *text, struct bm_error *err)
{
	const char *meant = bm_words_nearest(text, phase_name_at, NULL);

	call->until = text;
	if (meant != NULL && strcmp(meant, text) != 0 && !bm_phase_is_to_come(text)) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"there is no phase '%s'; did you mean '%s'?", text, meant);
	}
	return 0;
}

static const char *from_environment(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : fallback;
}

static int parse_log_format(struct cli_call *call, const char *text, struct bm_error *err)
{
	static const char *const names[] = {
			[BM_LOG_AUTO] = "auto", [BM_LOG_TEXT] = "text", [BM_LOG_JSON] = "json"};

	for (size_t i = 0; i < BM_COUNT_OF(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			call->log_format = (enum bm_log_format)i;
			call->log_format_given = true;
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"--log-format cannot be '%s': it is auto, text or json", text);
}

static int parse_log_level(struct cli_call *call, const char *text, struct bm_error *err)
{
	for (enum bm_log_level level = BM_LOG_DEBUG; level <= BM_LOG_ERROR; level++) {
		if (strcmp(text, bm_log_level_name(level)) == 0) {
			call->log_level = level;
			call->log_level_given = true;
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"--log-level cannot be '%s': it is debug, info, warn or error", text);
}

/* An empty folder name would silently mean the working folder or `/`. */
static int parse_path(
		const char **out, const char *option, const char *text, struct bm_error *err)
{
	if (text[0] == '\0') {
		return bm_error_set(err, BM_ERR_CONFIG, "--%s needs a path, not ''", option);
	}
	*out = text;
	return 0;
}

static int parse_number(unsigned *out, const char *option, const char *text, unsigned most,
		struct bm_error *err)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 || value > most) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"--%s cannot be '%s': it is a number from 1 to %u", option,
				text, most);
	}
	*out = (unsigned)value;
	return 0;
}

static int parse_rate(uint64_t *out, const char *option, const char *text, struct bm_error *err)
{
	struct bm_strbuf problem = BM_STRBUF_INIT;
	int rc = bm_config_read_rate(text, out, &problem)
			? 0
			: bm_error_set(err, BM_ERR_CONFIG, "--%s: %s", option,
					  bm_strbuf_text(&problem));

	bm_strbuf_finish(&problem);
	return rc;
}

/* One more of the list. */
static int parse_pattern(
		const char **out, const char *option, const char *text, struct bm_error *err)
{
	struct bm_strbuf schema = BM_STRBUF_INIT, table = BM_STRBUF_INIT;
	const char *problem = bm_pattern_parse(text, &schema, &table);
	size_t count = 0;

	bm_strbuf_finish(&schema);
	bm_strbuf_finish(&table);
	while (out[count] != NULL) {
		count++;
	}
	if (problem != NULL || count == CLI_MOST_PATTERNS) {
		return bm_error_set(err, BM_ERR_CONFIG, "--%s '%s': %s", option, text,
				problem != NULL ? problem : "given too often");
	}
	out[count] = text;
	return 0;
}

/* Those without a value. */
static int take_wish(struct cli_call *call, unsigned option)
{
	const struct {
		unsigned option;
		bool *wish;
	} wishes[] = {
			{CLI_STRICT, &call->strict},
			{CLI_JSON, &call->json},
			{CLI_WATCH, &call->watch},
			{CLI_SHOW_ALL, &call->all},
			{CLI_YES, &call->yes},
			{CLI_GENTLE, &call->gentle},
			{CLI_ACCEPT_MOMENTS, &call->accept_moments},
			{CLI_FIX, &call->fix},
			{CLI_FOLLOW, &call->follow},
	};

	for (size_t i = 0; i < BM_COUNT_OF(wishes); i++) {
		if (wishes[i].option == option) {
			*wishes[i].wish = true;
		}
	}
	return 0;
}

static int take_option(
		struct cli_call *call, unsigned option, const char *text, struct bm_error *err)
{
	switch (option) {
	case CLI_VOLUME:
		return parse_path(&call->volume, "volume", text, err);
	case CLI_RUNTIME:
		return parse_path(&call->runtime, "runtime", text, err);
	case CLI_PGPASS:
		return parse_path(&call->pgpass, "pgpass", text, err);
	case CLI_SOURCE:
		call->source = text;
		return 0;
	case CLI_DESTINATION:
		call->destination = text;
		return 0;
	case CLI_JOBS:
		return parse_number(&call->jobs, "jobs", text, 64, err);
	case CLI_CHUNK:
		return parse_number(&call->chunk_mib, "chunk", text, 65536, err);
	case CLI_INCLUDE:
		return parse_pattern(call->include, "include", text, err);
	case CLI_EXCLUDE:
		return parse_pattern(call->exclude, "exclude", text, err);
	case CLI_MAX_RATE:
		return parse_rate(&call->max_rate, "max-rate", text, err);
	case CLI_LOG_FORMAT:
		return parse_log_format(call, text, err);
	case CLI_LOG_LEVEL:
		return parse_log_level(call, text, err);
	case CLI_SINCE:
		call->since = text;
		return 0;
	case CLI_UNTIL:
		return parse_until(call, text, err);
	default:
		return take_wish(call, option);
	}
}

/* Options as `letters` has getopt take them; the set of those seen goes to `seen`, optind to
 * the first word. */
static int take_options(int argc, char **argv, const char *letters, struct cli_call *call,
		unsigned *seen, struct bm_error *err)
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
			*seen |= (unsigned)value >> 8;
			if (take_option(call, (unsigned)value >> 8, optarg, err) != 0) {
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

static int check_grammar(const struct cli_call *call, unsigned seen, struct bm_error *err)
{
	const struct cli_command *command = call->command;
	unsigned foreign = seen & ~command->options;

	if (call->want_help) {
		return 0;
	}
	if (foreign != 0) {
		return bm_error_set(err, BM_ERR_CONFIG, "'%s' takes no option --%s",
				command->name, option_name(foreign & -foreign));
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
static int parse_run(int argc, char **argv, struct cli_call *call, unsigned *seen,
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
	unsigned seen = 0;

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
