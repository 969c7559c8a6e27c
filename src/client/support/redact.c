/* Secrets taken out of a text: those that are known, and those that stand where secrets stand.
 */
#include "client/support/redact.h"

#include <ctype.h>
#include <jansson.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

#define LEAST_BYTES 4
#define MOST_GROUPS 4

#define NAMES                                                                                  \
	"(password|passwd|passphrase|secret|token|authorization|api[_-]?key|sslpassword|dbpass)"
#define VALUE "(\"([^\"\\\\]|\\\\[^\"])*|'([^']|'')*|[^][:space:],;(){}\"'\\\\]+)"

/* What stands where secrets stand. `group` is what goes. */
static const struct {
	const char *pattern;
	size_t group;
} places[] = {
		{"://[^/:@[:space:]]*:([^@[:space:]]+)@", 1},
		{NAMES "\\\\?[\"']?[[:space:]]*[=:][[:space:]]*\\\\?" VALUE, 2},
		{"password[[:space:]]+E?('([^']|'')*)", 1},
		{"(bearer|basic)[[:space:]]+([A-Za-z0-9._~+/=-]{6,})", 2},
		{"-----BEGIN [A-Z ]*PRIVATE KEY-----([A-Za-z0-9+/=\\[:space:]:,-]+)-----END",
				1},
};

struct cli_redactor {
	regex_t places[BM_COUNT_OF(places)];
	char **secrets; /* the longest first */
	size_t count;
};

struct cli_redactor *cli_redactor_create(void)
{
	struct cli_redactor *redactor = bm_alloc(sizeof(*redactor));

	for (size_t i = 0; i < BM_COUNT_OF(places); i++) {
		if (regcomp(&redactor->places[i], places[i].pattern,
				    REG_EXTENDED | REG_ICASE) != 0) {
			abort(); /* a pattern of ours */
		}
	}
	return redactor;
}

void cli_redactor_destroy(struct cli_redactor *redactor)
{
	if (redactor == NULL) {
		return;
	}
	for (size_t i = 0; i < redactor->count; i++) {
		explicit_bzero(redactor->secrets[i], strlen(redactor->secrets[i]));
		free(redactor->secrets[i]);
	}
	free(redactor->secrets);
	for (size_t i = 0; i < BM_COUNT_OF(places); i++) {
		regfree(&redactor->places[i]);
	}
	free(redactor);
}

/* ---- what is known ---- */

static void add_spelling(struct cli_redactor *redactor, const char *spelling)
{
	size_t length = strlen(spelling), at = 0;

	if (length < LEAST_BYTES) {
		return;
	}
	for (; at < redactor->count && strlen(redactor->secrets[at]) >= length; at++) {
		if (strcmp(redactor->secrets[at], spelling) == 0) {
			return;
		}
	}
	redactor->secrets = bm_realloc(
			redactor->secrets, redactor->count + 1, sizeof(*redactor->secrets));
	memmove(redactor->secrets + at + 1, redactor->secrets + at,
			(redactor->count - at) * sizeof(*redactor->secrets));
	redactor->secrets[at] = bm_strdup(spelling);
	redactor->count++;
}

/* \u00F6 becomes \u00f6, as others write it. */
static void lower_escapes(char *text)
{
	for (char *at = text; (at = strstr(at, "\\u")) != NULL; at += 2) {
		for (size_t i = 2; i < 6 && at[i] != '\0'; i++) {
			at[i] = (char)tolower((unsigned char)at[i]);
		}
	}
}

/* As JSON has it, in each of its ways, and as JSON in a text of JSON has it. */
static void add_as_json(struct cli_redactor *redactor, const char *spelling, int layers)
{
	static const struct {
		size_t flags;
		bool lowers;
	} ways[] = {{JSON_ENCODE_ANY, false}, {JSON_ENCODE_ANY | JSON_ENSURE_ASCII, false},
			{JSON_ENCODE_ANY | JSON_ENSURE_ASCII, true}};

	for (size_t i = 0; i < BM_COUNT_OF(ways) && layers > 0; i++) {
		json_t *text = json_string_nocheck(spelling);
		char *quoted = json_dumps(text, ways[i].flags);
		json_decref(text);
		if (quoted == NULL) {
			continue; /* no UTF-8 */
		}
		if (ways[i].lowers) {
			lower_escapes(quoted);
		}
		quoted[strlen(quoted) - 1] = '\0';
		add_spelling(redactor, quoted + 1);
		add_as_json(redactor, quoted + 1, layers - 1);
		free(quoted);
	}
}

/* One that may stand in a text of JSON. */
static void add_plain(struct cli_redactor *redactor, const char *spelling)
{
	add_spelling(redactor, spelling);
	add_as_json(redactor, spelling, 2);
}

/* With `escape` before each byte of `which`; NULL: the byte twice. */
static void add_escaped(struct cli_redactor *redactor, const char *secret, const char *which,
		const char *escape)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	for (const char *at = secret; *at != '\0'; at++) {
		if (strchr(which, *at) != NULL) {
			bm_strbuf_puts(&out, escape != NULL ? escape : (char[]){*at, '\0'});
		}
		bm_strbuf_putc(&out, *at);
	}
	add_plain(redactor, bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
}

static void add_as_uri(struct cli_redactor *redactor, const char *secret)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	for (const unsigned char *at = (const unsigned char *)secret; *at != '\0'; at++) {
		bool plain = isalnum(*at) || strchr("-._~", *at) != NULL;
		bm_strbuf_printf(&out, plain ? "%c" : "%%%02X", *at);
	}
	add_spelling(redactor, bm_strbuf_text(&out));
	bm_strbuf_finish(&out);
}

void cli_redactor_add(struct cli_redactor *redactor, const char *secret)
{
	add_plain(redactor, secret);
	add_as_uri(redactor, secret);
	add_escaped(redactor, secret, "'", NULL);   /* SQL */
	add_escaped(redactor, secret, "\\'", "\\"); /* a conninfo string */
	add_escaped(redactor, secret, "\\:", "\\"); /* pgpass */
}

/* The fifth field, its '\' taken out. */
static void add_pgpass_line(struct cli_redactor *redactor, const char *line, size_t length)
{
	struct bm_strbuf field = BM_STRBUF_INIT;
	int colons = 0;

	for (size_t i = 0; i < length; i++) {
		bool is_escaped = line[i] == '\\' && i + 1 < length;
		if (line[i] == ':' && colons < 4) {
			colons++;
			continue;
		}
		i += is_escaped ? 1 : 0;
		if (colons == 4) {
			bm_strbuf_putc(&field, line[i]);
		}
	}
	cli_redactor_add(redactor, bm_strbuf_text(&field));
	bm_strbuf_finish(&field);
}

void cli_redactor_add_pgpass(struct cli_redactor *redactor, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\r\n");
		if (text[0] != '#') {
			add_pgpass_line(redactor, text, length);
		}
		text += length + (text[length] != '\0');
	}
}

/* ---- taking them out ---- */

static char *without_secret(const char *text, const char *secret)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	const char *found;

	for (; (found = strstr(text, secret)) != NULL; text = found + strlen(secret)) {
		bm_strbuf_add(&out, text, (size_t)(found - text));
		bm_strbuf_puts(&out, CLI_REDACTED);
	}
	bm_strbuf_puts(&out, text);
	return bm_strbuf_detach(&out);
}

/* A quote at its begin stays, and so does the one behind it: JSON stays JSON. */
static void put_removed(char first, struct bm_strbuf *out)
{
	if (first == '"' || first == '\'') {
		bm_strbuf_putc(out, first);
	}
	bm_strbuf_puts(out, CLI_REDACTED);
}

static char *without_place(const char *text, const regex_t *place, size_t group)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	regmatch_t match[MOST_GROUPS];
	int flags = 0;

	while (regexec(place, text, MOST_GROUPS, match, flags) == 0) {
		size_t begin = (size_t)match[group].rm_so, end = (size_t)match[group].rm_eo;
		bm_strbuf_add(&out, text, begin);
		put_removed(text[begin], &out);
		text += end;
		flags = REG_NOTBOL;
	}
	bm_strbuf_puts(&out, text);
	return bm_strbuf_detach(&out);
}

void cli_redact(const struct cli_redactor *redactor, const char *text, struct bm_strbuf *out)
{
	char *clean = bm_strdup(text);

	for (size_t i = 0; i < redactor->count; i++) {
		char *next = without_secret(clean, redactor->secrets[i]);
		free(clean);
		clean = next;
	}
	for (size_t i = 0; i < BM_COUNT_OF(places); i++) {
		char *next = without_place(clean, &redactor->places[i], places[i].group);
		free(clean);
		clean = next;
	}
	bm_strbuf_puts(out, clean);
	free(clean);
}
