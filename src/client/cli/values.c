/* What the value of each option means: text in, a member of struct cli_call out. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/pattern.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/words.h"
#include "client/cli/command.h"

static const char *phase_name_at(const void *ctx, size_t index)
{
	(void)ctx;
	return index < BM_PHASE_COUNT ? bm_phase_name((enum bm_phase)index) : NULL;
}

static int parse_without(struct cli_call *call, const char *text, struct bm_error *err)
{
	static const char *const words[] = {"source", "destination", "both"};

	call->without = text;
	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"--without cannot be '%s': it is source, destination or both", text);
}

/* One that is far from all is the machine's to refuse: it knows which are still to come. */
static int parse_until(struct cli_call *call, const char *text, struct bm_error *err)
{
	const char *meant = bm_words_nearest(text, phase_name_at, NULL);

	call->until = text;
	if (meant != NULL && strcmp(meant, text) != 0 && !bm_phase_is_asked_for(text)) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"there is no phase '%s'; did you mean '%s'?", text, meant);
	}
	return 0;
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

static int parse_hash(struct cli_call *call, const char *text, struct bm_error *err)
{
	call->portable_hash = strcmp(text, "sha256") == 0;
	return call->portable_hash || strcmp(text, "native") == 0
			? 0
			: bm_error_set(err, BM_ERR_CONFIG,
					  "--hash cannot be '%s': it is native or sha256",
					  text);
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

/* "1s", "800ms", "1min". */
static int parse_budget(unsigned *out, const char *text, struct bm_error *err)
{
	static const struct {
		const char *unit;
		unsigned long msec;
	} units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}};
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	for (size_t i = 0; text[0] >= '0' && text[0] <= '9' && i < BM_COUNT_OF(units); i++) {
		unsigned long msec = value * units[i].msec;
		if (strcmp(end, units[i].unit) == 0 && value <= BM_BUDGET_MOST_MSEC &&
				msec >= BM_BUDGET_LEAST_MSEC && msec <= BM_BUDGET_MOST_MSEC) {
			*out = (unsigned)msec;
			return 0;
		}
	}
	return bm_error_set(err, BM_ERR_CONFIG,
			"--budget cannot be '%s': it is a time from 100ms to 60s, as 1s or 800ms",
			text);
}

static int parse_accept(const char **out, const char *text, struct bm_error *err)
{
	size_t count = 0;

	while (out[count] != NULL) {
		count++;
	}
	if (text[0] == '\0' || count == CLI_MOST_PATTERNS) {
		return bm_error_set(err, BM_ERR_CONFIG, "--accept '%s': %s", text,
				text[0] == '\0' ? "a table is needed" : "given too often");
	}
	out[count] = text;
	return 0;
}

/* "15", "TERM" or "SIGTERM"; with `zero` "0" too. -1: none of them. */
static int parse_signal(const char *text, size_t length, int zero)
{
	char word[16], *end;

	if (length == 0 || length >= sizeof(word)) {
		return -1;
	}
	memcpy(word, text, length);
	word[length] = '\0';
	if (word[0] >= '0' && word[0] <= '9') {
		long number = strtol(word, &end, 10);
		return *end == '\0' && number >= zero && number < BM_SIGNALS ? (int)number : -1;
	}
	const char *name = strncmp(word, "SIG", 3) == 0 ? word + 3 : word;
	for (int signo = 1; signo < BM_SIGNALS; signo++) {
		const char *known = sigabbrev_np(signo);
		if (known != NULL && strcmp(known, name) == 0) {
			return signo;
		}
	}
	return -1;
}

static int parse_rewrite(struct bm_single *single, const char *text, struct bm_error *err)
{
	size_t length = strcspn(text, ":");
	const char *second = text[length] == ':' ? text + length + 1 : text + length;
	int from = parse_signal(text, length, 1), to = parse_signal(second, strlen(second), 0);

	if (from < 0 || to < 0) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"--rewrite cannot be '%s': it is two signals, the one that comes and "
				"the one that the command gets (0: none), as 15:3 or TERM:QUIT",
				text);
	}
	single->rewrite[from] = to == 0 ? BM_SIGNAL_DROPPED : to;
	return 0;
}

static int parse_expected(struct bm_single *single, const char *text, struct bm_error *err)
{
	unsigned code = 0;

	if (strcmp(text, "0") != 0 && parse_number(&code, "expect", text, 255, err) != 0) {
		return -1;
	}
	single->expected[code] = true;
	return 0;
}

/* Those without a value. */
static int take_wish(struct cli_call *call, cli_options option)
{
	const struct {
		cli_options option;
		bool *wish;
	} wishes[] = {
			{CLI_STRICT, &call->strict},
			{CLI_JSON, &call->json},
			{CLI_WATCH, &call->watch},
			{CLI_SHOW_ALL, &call->all},
			{CLI_YES, &call->yes},
			{CLI_THROTTLE, &call->throttle},
			{CLI_ACCEPT_MOMENTS, &call->accept_moments},
			{CLI_SHOW_VALUES, &call->show_values},
			{CLI_INCREMENTAL, &call->incremental},
			{CLI_REPAIR, &call->repair},
			{CLI_VERIFY, &call->verify},
			{CLI_DELETE_EXTRA, &call->delete_extra},
			{CLI_CHECK, &call->check},
			{CLI_REHEARSE, &call->rehearse},
			{CLI_FIX, &call->fix},
			{CLI_FOLLOW, &call->follow},
			{CLI_GROUP, &call->single.group},
			{CLI_KEEP_SIGNALS, &call->single.keep_signals},
	};

	for (size_t i = 0; i < BM_COUNT_OF(wishes); i++) {
		if (wishes[i].option == option) {
			*wishes[i].wish = true;
		}
	}
	return 0;
}

static int take_path(struct cli_call *call, cli_options option, const char *text,
		struct bm_error *err)
{
	const struct {
		cli_options option;
		const char **path, *name;
	} paths[] = {{CLI_VOLUME, &call->volume, "volume"},
			{CLI_RUNTIME, &call->runtime, "runtime"},
			{CLI_PGPASS, &call->pgpass, "pgpass"},
			{CLI_OUTPUT, &call->output, "output"},
			{CLI_REPORT, &call->report, "report"}};
	size_t i = 0;

	while (i + 1 < BM_COUNT_OF(paths) && paths[i].option != option) {
		i++;
	}
	return parse_path(paths[i].path, paths[i].name, text, err);
}

int cli_take_option(struct cli_call *call, cli_options option, const char *text,
		struct bm_error *err)
{
	switch (option) {
	case CLI_VOLUME:
	case CLI_RUNTIME:
	case CLI_PGPASS:
	case CLI_OUTPUT:
	case CLI_REPORT:
		return take_path(call, option, text, err);
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
	case CLI_TABLE:
		return parse_pattern(call->tables, "table", text, err);
	case CLI_BUDGET:
		return parse_budget(&call->budget_msec, text, err);
	case CLI_ACCEPT:
		return parse_accept(call->accept, text, err);
	case CLI_WAIT:
		return parse_number(&call->wait_sec, "wait", text, 86400, err);
	case CLI_MAX_SNAPSHOT:
		return parse_number(&call->snapshot_sec, "max-snapshot", text, 86400, err);
	case CLI_HASH:
		return parse_hash(call, text, err);
	case CLI_MAX_RATE:
		return parse_rate(&call->max_rate, "max-rate", text, err);
	case CLI_REWRITE:
		return parse_rewrite(&call->single, text, err);
	case CLI_EXPECT:
		return parse_expected(&call->single, text, err);
	case CLI_LOG_FORMAT:
		return parse_log_format(call, text, err);
	case CLI_LOG_LEVEL:
		return parse_log_level(call, text, err);
	case CLI_SINCE:
		call->since = text;
		return 0;
	case CLI_WITHOUT:
		return parse_without(call, text, err);
	case CLI_UNTIL:
		return parse_until(call, text, err);
	default:
		return take_wish(call, option);
	}
}
