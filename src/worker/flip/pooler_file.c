/* pooler_file - see pooler_file.h */
#include "worker/flip/pooler_file.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"

/* A piece of text, not terminated. */
struct piece {
	const char *text;
	size_t length;
};

static bool is_word(struct piece piece, const char *word)
{
	return strlen(word) == piece.length && memcmp(piece.text, word, piece.length) == 0;
}

static const char *skip_blanks(const char *c, const char *end)
{
	while (c < end && isspace((unsigned char)*c)) {
		c++;
	}
	return c;
}

static struct piece next_line(const char **rest)
{
	struct piece line = {*rest, strcspn(*rest, "\n")};

	line.length += line.text[line.length] == '\n';
	*rest += line.length;
	return line;
}

/* The name before its '=', without quotes, and what follows; false: no line of a database. */
static bool split_line(struct piece line, struct piece *name, struct piece *value)
{
	const char *end = line.text + line.length, *c = skip_blanks(line.text, end);
	const char *equals = memchr(c, '=', (size_t)(end - c));

	if (c == end || equals == NULL || *c == '#' || *c == ';' || *c == '[' || *c == '%') {
		return false;
	}
	*value = (struct piece){equals + 1, (size_t)(end - equals) - 1};
	while (equals > c && isspace((unsigned char)equals[-1])) {
		equals--;
	}
	*name = (struct piece){c, (size_t)(equals - c)};
	if (name->length >= 2 && c[0] == '"' && equals[-1] == '"') {
		*name = (struct piece){c + 1, name->length - 2};
	}
	return true;
}

static int find_line(const char *text, const char *database, struct piece *value,
		struct bm_error *err)
{
	struct piece name, found;
	int count = 0;

	while (*text != '\0') {
		if (split_line(next_line(&text), &name, &found) && is_word(name, database)) {
			*value = found;
			count++;
		}
	}
	return count == 1 ? 0
			  : bm_error_set(err, BM_ERR_PRECONDITION,
					    "it has %s line for database '%s'",
					    count == 0 ? "no" : "more than one", database);
}

/* ---- KEY=VALUE, KEY='it''s a value' ---- */

struct word {
	struct piece whole, key, value;
};

static const char *end_of_value(const char *c, const char *end)
{
	bool quoted = c < end && *c == '\'';

	for (c += quoted; c < end; c++) {
		if (quoted && *c == '\'' && (c + 1 == end || c[1] != '\'')) {
			return c + 1;
		}
		c += quoted && *c == '\'';
		if (!quoted && isspace((unsigned char)*c)) {
			break;
		}
	}
	return c;
}

static bool next_word(struct piece *rest, struct word *word)
{
	const char *end = rest->text + rest->length, *c = skip_blanks(rest->text, end);
	const char *equals = memchr(c, '=', (size_t)(end - c));

	if (equals == NULL) {
		return false;
	}
	const char *after = equals;
	while (after > c && isspace((unsigned char)after[-1])) {
		after--;
	}
	word->key = (struct piece){c, (size_t)(after - c)};
	const char *value = skip_blanks(equals + 1, end);
	const char *last = end_of_value(value, end);
	word->value = (struct piece){value, (size_t)(last - value)};
	word->whole = (struct piece){c, (size_t)(last - c)};
	*rest = (struct piece){last, (size_t)(end - last)};
	return true;
}

static void copy_value(char *out, size_t size, struct piece value)
{
	bool quoted = value.length >= 2 && value.text[0] == '\'';
	size_t used = 0;

	for (size_t i = quoted; i < value.length - quoted && used + 1 < size; i++) {
		out[used++] = value.text[i];
		i += quoted && value.text[i] == '\'';
	}
	out[used] = '\0';
}

int bm_pooler_file_read(const char *text, const char *database, struct bm_pooler_target *out,
		struct bm_error *err)
{
	struct piece value;
	struct word word;

	*out = (struct bm_pooler_target){"", "", ""};
	if (find_line(text, database, &value, err) != 0) {
		return -1;
	}
	while (next_word(&value, &word)) {
		if (is_word(word.key, "host")) {
			copy_value(out->host, sizeof(out->host), word.value);
		} else if (is_word(word.key, "port")) {
			copy_value(out->port, sizeof(out->port), word.value);
		} else if (is_word(word.key, "dbname")) {
			copy_value(out->dbname, sizeof(out->dbname), word.value);
		}
	}
	return 0;
}

/* ---- changed ---- */

static void put_value(struct bm_strbuf *out, const char *key, const char *value)
{
	bool plain = strpbrk(value, " \t'\"\\=#;") == NULL && value[0] != '\0';

	bm_strbuf_printf(out, " %s=%s", key, plain ? "" : "'");
	for (const char *c = value; *c != '\0'; c++) {
		bm_strbuf_puts(out, *c == '\'' ? "'" : "");
		bm_strbuf_putc(out, *c);
	}
	bm_strbuf_puts(out, plain ? "" : "'");
}

static void put_line(struct bm_strbuf *out, struct piece line, struct piece value,
		const struct bm_pooler_target *target)
{
	struct word word;

	bm_strbuf_add(out, line.text, (size_t)(value.text - line.text));
	put_value(out, "host", target->host);
	put_value(out, "port", target->port);
	put_value(out, "dbname", target->dbname);
	while (next_word(&value, &word)) {
		if (!is_word(word.key, "host") && !is_word(word.key, "port") &&
				!is_word(word.key, "dbname")) {
			bm_strbuf_putc(out, ' ');
			bm_strbuf_add(out, word.whole.text, word.whole.length);
		}
	}
	bm_strbuf_putc(out, '\n');
}

int bm_pooler_file_write(const char *text, const char *database,
		const struct bm_pooler_target *target, struct bm_strbuf *out,
		struct bm_error *err)
{
	struct piece name, value;

	if (find_line(text, database, &value, err) != 0) {
		return -1;
	}
	while (*text != '\0') {
		struct piece line = next_line(&text);
		if (split_line(line, &name, &value) && is_word(name, database)) {
			put_line(out, line, value, target);
		} else {
			bm_strbuf_add(out, line.text, line.length);
		}
	}
	return 0;
}
