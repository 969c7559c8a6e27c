/* A walk over tokens: roles stand after a few words, outside parentheses. */
#include "worker/schema/role_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/dump/entries.h"

struct token {
	const char *text;
	size_t length;
};

static bool is_word(struct token token, const char *word)
{
	return token.length == strlen(word) && strncasecmp(token.text, word, token.length) == 0;
}

/* The next token that is not white space; length 0 at the end. */
static struct token next_token(const char *text, size_t length, size_t *at)
{
	while (*at < length && isspace((unsigned char)text[*at])) {
		(*at)++;
	}
	size_t begin = *at;
	*at = begin < length ? bm_token_end(text, length, begin) : length;
	return (struct token){text + begin, *at - begin};
}

static bool has_owner(const char *text, size_t length)
{
	struct token before = {"", 0}, token;

	for (size_t at = 0; (token = next_token(text, length, &at)).length > 0;) {
		if (is_word(before, "OWNER") && is_word(token, "TO")) {
			return true;
		}
		before = token;
	}
	return false;
}

enum bm_statement_kind bm_statement_kind(const char *text, size_t length)
{
	static const struct {
		const char *words;
		enum bm_statement_kind kind;
	} begins[] = {
			{"GRANT ", BM_STATEMENT_GRANT},
			{"REVOKE ", BM_STATEMENT_GRANT},
			{"ALTER DEFAULT PRIVILEGES ", BM_STATEMENT_GRANT},
			{"CREATE POLICY ", BM_STATEMENT_POLICY},
			{"CREATE USER MAPPING ", BM_STATEMENT_POLICY},
			{"SET SESSION AUTHORIZATION ", BM_STATEMENT_SESSION},
			{"RESET SESSION AUTHORIZATION", BM_STATEMENT_SESSION},
	};

	for (size_t i = 0; i < BM_COUNT_OF(begins); i++) {
		size_t size = strlen(begins[i].words);
		if (length > size && strncmp(text, begins[i].words, size) == 0) {
			return begins[i].kind;
		}
	}
	return length > 6 && strncmp(text, "ALTER ", 6) == 0 && has_owner(text, length)
			? BM_STATEMENT_OWNER
			: BM_STATEMENT_OTHER;
}

/* Whether what follows is a list of roles. */
static bool roles_follow(enum bm_statement_kind kind, struct token before, struct token token)
{
	switch (kind) {
	case BM_STATEMENT_OWNER:
		return is_word(token, "TO") && is_word(before, "OWNER");
	case BM_STATEMENT_GRANT:
		return is_word(token, "TO") || is_word(token, "FROM") ||
				(is_word(token, "ROLE") && is_word(before, "FOR"));
	case BM_STATEMENT_POLICY:
		return is_word(token, "TO") ||
				(is_word(token, "FOR") && is_word(before, "MAPPING"));
	case BM_STATEMENT_SESSION:
		return is_word(token, "AUTHORIZATION");
	default:
		return false;
	}
}

static char *unquote(struct token token)
{
	struct bm_strbuf name = BM_STRBUF_INIT;

	if (token.text[0] != '"') {
		return bm_strndup(token.text, token.length);
	}
	for (size_t i = 1; i + 1 < token.length; i++) {
		bm_strbuf_putc(&name, token.text[i]);
		i += token.text[i] == '"';
	}
	return bm_strbuf_detach(&name);
}

static bool is_name(struct token token)
{
	char c = token.length > 0 ? token.text[0] : ';';

	return c == '"' || c == '_' || isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool is_no_role(struct token token)
{
	return is_word(token, "PUBLIC") || is_word(token, "CURRENT_USER") ||
			is_word(token, "SESSION_USER") || is_word(token, "CURRENT_ROLE");
}

/* A list that begins at `*at`; whether something of it is left, or it is none. */
static bool map_list(const char *text, size_t length, size_t *at, bm_role_map *map, void *ctx,
		struct bm_strbuf *out)
{
	size_t kept = 0, count = 0;

	for (;;) {
		size_t after = *at;
		struct token token = next_token(text, length, &after);
		if (!is_name(token)) {
			return count == 0;
		}
		char *name = unquote(token);
		char *as_is = bm_strndup(token.text, token.length);
		const char *mapped = is_no_role(token) ? as_is : map(ctx, name);
		if (mapped != NULL) {
			bm_strbuf_printf(out, "%s%s", kept++ > 0 ? ", " : " ", mapped);
		}
		free(name);
		free(as_is);
		count++;
		*at = after;
		if (!is_word(next_token(text, length, &after), ",")) {
			return kept > 0;
		}
		*at = after;
	}
}

bool bm_statement_map_roles(const char *text, size_t length, bm_role_map *map, void *ctx,
		struct bm_strbuf *out)
{
	enum bm_statement_kind kind = bm_statement_kind(text, length);
	struct token before = {"", 0};
	size_t depth = 0, copied = 0;
	bool whole = true;

	for (size_t at = 0;;) {
		struct token token = next_token(text, length, &at);
		if (token.length == 0) {
			break;
		}
		depth += token.text[0] == '(';
		depth -= token.text[0] == ')' && depth > 0;
		if (depth == 0 && roles_follow(kind, before, token)) {
			bm_strbuf_add(out, text + copied, at - copied);
			whole = map_list(text, length, &at, map, ctx, out) && whole;
			copied = at;
		}
		before = token;
	}
	bm_strbuf_add(out, text + copied, length - copied);
	return whole;
}
