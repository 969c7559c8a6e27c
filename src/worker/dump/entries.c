/* A lexer for the ends of statements, and the headers between them. */
#include "worker/dump/entries.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

/* ---- the end of a statement ---- */

struct lexer {
	const char *text;
	size_t length, at;
	unsigned parens, blocks; /* open ( and BEGIN ATOMIC or CASE */
	unsigned words;
	bool creates, makes_routine;
};

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_part(char c)
{
	return is_name_start(c) || isdigit((unsigned char)c) || c == '$';
}

static bool starts_with(const struct lexer *lexer, const char *prefix)
{
	size_t length = strlen(prefix);

	return lexer->length - lexer->at >= length &&
			memcmp(lexer->text + lexer->at, prefix, length) == 0;
}

/* After the closing quote; a doubled one, and a backslash in E'', do not close. */
static void skip_quoted(struct lexer *lexer, char quote, bool backslashes)
{
	for (lexer->at++; lexer->at < lexer->length; lexer->at++) {
		char c = lexer->text[lexer->at];
		if (backslashes && c == '\\') {
			lexer->at++;
		} else if (c == quote) {
			if (lexer->at + 1 < lexer->length &&
					lexer->text[lexer->at + 1] == quote) {
				lexer->at++;
				continue;
			}
			lexer->at++;
			return;
		}
	}
}

static void skip_line(struct lexer *lexer)
{
	const char *end = memchr(lexer->text + lexer->at, '\n', lexer->length - lexer->at);

	lexer->at = end == NULL ? lexer->length : (size_t)(end - lexer->text) + 1;
}

static void skip_block_comment(struct lexer *lexer)
{
	unsigned depth = 0;

	while (lexer->at < lexer->length) {
		if (starts_with(lexer, "/*")) {
			depth++;
			lexer->at += 2;
		} else if (starts_with(lexer, "*/")) {
			lexer->at += 2;
			if (--depth == 0) {
				return;
			}
		} else {
			lexer->at++;
		}
	}
}

/* $tag$ ... $tag$, or a lone dollar sign. */
static void skip_dollar(struct lexer *lexer)
{
	const char *start = lexer->text + lexer->at;
	size_t left = lexer->length - lexer->at;
	size_t tag = 1;

	while (tag < left && is_name_part(start[tag]) && start[tag] != '$') {
		tag++;
	}
	if (tag >= left || start[tag] != '$' || isdigit((unsigned char)start[1])) {
		lexer->at++;
		return;
	}
	tag++;
	const char *end = memmem(start + tag, left - tag, start, tag);
	lexer->at = end == NULL ? lexer->length : (size_t)(end - lexer->text) + tag;
}

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* CREATE [OR REPLACE] FUNCTION or PROCEDURE: only there BEGIN opens a block. */
static void take_word(struct lexer *lexer)
{
	const char *word = lexer->text + lexer->at;
	size_t start = lexer->at;

	while (lexer->at < lexer->length && is_name_part(lexer->text[lexer->at])) {
		lexer->at++;
	}
	size_t length = lexer->at - start;
	if (lexer->words++ == 0) {
		lexer->creates = is_word(word, length, "CREATE");
	} else if (lexer->words <= 4 &&
			(is_word(word, length, "FUNCTION") ||
					is_word(word, length, "PROCEDURE"))) {
		lexer->makes_routine = lexer->creates;
	}
	if (!lexer->makes_routine || lexer->parens > 0) {
		return;
	}
	if (is_word(word, length, "BEGIN")) {
		lexer->blocks++;
	} else if (is_word(word, length, "CASE") && lexer->blocks > 0) {
		lexer->blocks++;
	} else if (is_word(word, length, "END") && lexer->blocks > 0) {
		lexer->blocks--;
	}
}

static bool is_escape_string(const struct lexer *lexer, size_t begin)
{
	const char *text = lexer->text;
	size_t at = lexer->at;

	return at > begin && (text[at - 1] == 'E' || text[at - 1] == 'e') &&
			(at - 1 == begin || !is_name_part(text[at - 2]));
}

/* One token. True after the semicolon that ends the statement. */
static bool take_token(struct lexer *lexer, size_t begin)
{
	char c = lexer->text[lexer->at];

	if (c == '\'') {
		skip_quoted(lexer, '\'', is_escape_string(lexer, begin));
	} else if (c == '"') {
		skip_quoted(lexer, '"', false);
	} else if (starts_with(lexer, "--")) {
		skip_line(lexer);
	} else if (starts_with(lexer, "/*")) {
		skip_block_comment(lexer);
	} else if (c == '$') {
		skip_dollar(lexer);
	} else if (is_name_start(c)) {
		take_word(lexer);
	} else {
		lexer->parens += c == '(';
		lexer->parens -= c == ')' && lexer->parens > 0;
		lexer->at++;
		return c == ';' && lexer->parens == 0 && lexer->blocks == 0;
	}
	return false;
}

size_t bm_statement_end(const char *script, size_t length, size_t from)
{
	struct lexer lexer = {.text = script, .length = length, .at = from};

	while (lexer.at < length) {
		if (take_token(&lexer, from)) {
			break;
		}
	}
	return lexer.at < length ? lexer.at : length;
}

size_t bm_token_end(const char *script, size_t length, size_t from)
{
	struct lexer lexer = {.text = script, .length = length, .at = from};

	take_token(&lexer, 0);
	return lexer.at < length ? lexer.at : length;
}

/* ---- headers ---- */

/* The last "; KEY: value" of the line goes to `out`, and the line ends before it. */
static void take_field(char *line, const char *key, char **out)
{
	char *found = NULL;

	for (char *hit = line; (hit = strstr(hit, key)) != NULL; hit++) {
		found = hit;
	}
	*out = bm_strdup(found != NULL ? found + strlen(key) : "");
	if (found != NULL) {
		*found = '\0';
	}
}

/* What the lines before "-- Name:" told. */
struct origin {
	unsigned number, class_oid, oid;
	char *needs;
};

static struct bm_entry *begin_entry(struct bm_entries *out, struct origin *origin,
		const char *header, size_t length)
{
	char *line = bm_strndup(header, length);
	char *tablespace;

	out->list = bm_realloc(out->list, out->count + 1, sizeof(*out->list));
	struct bm_entry *entry = &out->list[out->count++];
	*entry = (struct bm_entry){.number = origin->number,
			.class_oid = origin->class_oid,
			.oid = origin->oid,
			.needs = origin->needs != NULL ? origin->needs : bm_strdup("")};
	*origin = (struct origin){0};
	take_field(line, "; Tablespace: ", &tablespace);
	take_field(line, "; Owner: ", &entry->owner);
	take_field(line, "; Schema: ", &entry->schema);
	take_field(line, "; Type: ", &entry->type);
	entry->name = bm_strdup(line);
	free(tablespace);
	free(line);
	return entry;
}

/* "-- TOC entry 215 (class 1259 OID 16385)", "-- Dependencies: 3 17" */
static void take_origin(const char *line, size_t length, struct origin *origin)
{
	static const char needs[] = "-- Dependencies:";
	char *text = bm_strndup(line, length);
	unsigned number, class_oid, oid;

	if (sscanf(text, "-- TOC entry %u (class %u OID %u)", &number, &class_oid, &oid) == 3) {
		free(origin->needs);
		*origin = (struct origin){number, class_oid, oid, NULL};
	} else if (strncmp(text, needs, sizeof(needs) - 1) == 0 && origin->needs == NULL) {
		origin->needs = bm_format("%.*s ", (int)strcspn(text + sizeof(needs) - 1, "\n"),
				text + sizeof(needs) - 1);
	}
	free(text);
}

struct reader {
	struct lexer lexer;
	struct bm_entries *out;
	struct bm_entry *current; /* NULL before the first */
	struct origin origin;
};

/* A comment or a line for psql between statements; true when it was one. */
static bool take_line(struct reader *reader)
{
	static const char name[] = "-- Name: ";
	struct lexer *lexer = &reader->lexer;
	size_t begin = lexer->at;

	if (starts_with(lexer, "--") || starts_with(lexer, "\\")) {
		bool is_header = starts_with(lexer, name);
		skip_line(lexer);
		if (is_header) {
			size_t length = lexer->at - begin - (sizeof(name) - 1);
			reader->current = begin_entry(reader->out, &reader->origin,
					lexer->text + begin + sizeof(name) - 1,
					length > 0 ? length - 1 : 0);
		} else {
			take_origin(lexer->text + begin, lexer->at - begin, &reader->origin);
		}
		return true;
	}
	if (isspace((unsigned char)lexer->text[lexer->at])) {
		lexer->at++;
		return true;
	}
	return false;
}

void bm_entries_parse(const char *script, size_t length, struct bm_entries *out)
{
	struct reader reader = {.lexer = {.text = script, .length = length}, .out = out};
	struct lexer *lexer = &reader.lexer;
	struct bm_strbuf settings = BM_STRBUF_INIT;

	*out = (struct bm_entries){0};
	while (lexer->at < length) {
		if (take_line(&reader)) {
			continue;
		}
		size_t begin = lexer->at;
		lexer->at = bm_statement_end(script, length, begin);
		size_t size = lexer->at - begin;
		if (size >= 12 && memcmp(script + begin, "SET default_", 12) == 0) {
			/* It is meant for what follows. */
			bm_strbuf_add(&settings, script + begin, size);
			bm_strbuf_putc(&settings, '\n');
			continue;
		}
		if (reader.current != NULL) {
			bm_strbuf_puts(&reader.current->sql, bm_strbuf_text(&settings));
			bm_strbuf_add(&reader.current->sql, script + begin, size);
			bm_strbuf_putc(&reader.current->sql, '\n');
			bm_strbuf_clear(&settings);
		}
	}
	free(reader.origin.needs);
	bm_strbuf_finish(&settings);
}

static void finish_entry(struct bm_entry *entry)
{
	free(entry->name);
	free(entry->type);
	free(entry->schema);
	free(entry->owner);
	free(entry->needs);
	bm_strbuf_finish(&entry->sql);
}

bool bm_entry_is_named(const struct bm_entry *entry, const char *quoted)
{
	struct bm_strbuf name = BM_STRBUF_INIT;

	bm_quote_ident(&name, entry->schema);
	bm_strbuf_putc(&name, '.');
	bm_quote_ident(&name, entry->name);
	bool same = strcmp(bm_strbuf_text(&name), quoted) == 0;
	bm_strbuf_finish(&name);
	return same;
}

void bm_entries_remove(struct bm_entries *entries, size_t index)
{
	finish_entry(&entries->list[index]);
	entries->count--;
	memmove(&entries->list[index], &entries->list[index + 1],
			(entries->count - index) * sizeof(*entries->list));
}

void bm_entries_finish(struct bm_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		finish_entry(&entries->list[i]);
	}
	free(entries->list);
	*entries = (struct bm_entries){0};
}
