/* `config reference`: the table as Markdown that also reads well on a terminal. */
#include "bucardo_machine/config.h"

#include <string.h>

#include "base/config/checks.h"
#include "base/config/keys.h"
#include "base/config/value.h"
#include "base/util/wrap.h"

static const char head[] =
		"# Configuration reference\n"
		"\n"
		"The machine reads `machine.yaml` on its volume. The file is optional, and so is\n"
		"every key but `version`: what is left out has its default. This text is what\n"
		"`bucardo-machine config reference` prints; `config check` tells whether a file is\n"
		"right (every error at once, with its line), `config show` what is in effect. The\n"
		"machine takes a changed file by itself; from a file with an error it takes\n"
		"nothing, says so, and goes on with what it had.\n"
		"\n"
		"Durations are a whole number with a unit: `500ms`, `30s`, `2min`, `1h`.\n"
		"Texts can be quoted or not. Passwords stand in pgpass, never here.\n"
		"Anchors, aliases, tags and further documents are refused, and so are unknown\n"
		"keys, keys given twice and files of more than 1 MiB.\n";

static bool is_top(const struct bm_key *key)
{
	return strpbrk(key->path, ".[") == NULL;
}

void bm_key_describe(const struct bm_key *key, const char *quote, struct bm_strbuf *out)
{
	bm_value_describe(key, out);
	if (key->required) {
		bm_strbuf_puts(out, "; required");
	} else if (key->type >= BM_KEY_DURATION && key->type <= BM_KEY_CHOICE) {
		bm_strbuf_printf(out, "; default %s", quote);
		bm_value_write(key, key->fallback, out);
		bm_strbuf_puts(out, quote);
	} else if (key->fallback_text != NULL) {
		bm_strbuf_printf(out, "; default %s%s%s", quote, key->fallback_text, quote);
	} else {
		bm_strbuf_puts(out, "; optional");
	}
}

static void write_row(const struct bm_key *key, struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	if (is_top(key)) {
		bm_strbuf_printf(out, "\n## %s\n\n", key->path);
	}
	if (is_top(key) && key->type == BM_KEY_SECTION) {
		bm_wrap(out, "", "", key->help);
		bm_strbuf_puts(out, "\n");
		return;
	}
	bm_strbuf_printf(&text, "`%s`: ", key->path);
	bm_key_describe(key, "`", &text);
	bm_strbuf_puts(&text, ".");
	bm_wrap(out, "- ", "  ", bm_strbuf_text(&text));
	bm_wrap(out, "  ", "  ", key->help);
	bm_strbuf_finish(&text);
}

/* Neighbours in the table with the same reason share a line. */
static void write_refused(struct bm_strbuf *out)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	const char *name, *next, *why, *next_why;

	bm_strbuf_puts(out,
			"\n## Refused PostgreSQL settings\n\n"
			"`postgres.settings` may name any server setting but these:\n\n");
	name = bm_check_refused_setting(0, &why);
	for (size_t i = 1; name != NULL; i++) {
		next = bm_check_refused_setting(i, &next_why);
		bm_strbuf_printf(&text, "`%s`", name);
		if (next != NULL && strcmp(why, next_why) == 0) {
			bm_strbuf_puts(&text, ", ");
		} else {
			bm_strbuf_printf(&text, ": %.*s.", (int)strcspn(why, ";"), why);
			bm_wrap(out, "- ", "  ", bm_strbuf_text(&text));
			bm_strbuf_clear(&text);
		}
		name = next;
		why = next_why;
	}
	bm_strbuf_finish(&text);
}

void bm_config_reference(struct bm_strbuf *out)
{
	bm_strbuf_puts(out, head);
	for (size_t i = 0; i < bm_key_count; i++) {
		write_row(&bm_keys[i], out);
	}
	write_refused(out);
}
