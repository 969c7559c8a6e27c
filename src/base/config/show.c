/*
 * `config show` and the example file: one walk over the table that writes YAML.
 *
 * What it writes can be read again by bm_config_parse(), except for the values
 * that are hidden.
 */
#include "bucardo_machine/config.h"

#include <string.h>

#include "bucardo_machine/utf8.h"
#include "base/config/checks.h"
#include "base/config/keys.h"
#include "base/config/value.h"
#include "base/util/wrap.h"

#define PREFIX_BYTES 64

struct writer {
	struct bm_strbuf *out;
	bool helpful; /* the example: help above each key, no marks of defaults */
	int indent;
	bool dash; /* the next key is the first of a list's element */
};

static void write_keys(struct writer *writer, const char *prefix, const void *base);

/* The pointer that a TEXT, WORDS, PAIRS or LIST keeps. */
static const void *pointer_of(const struct bm_key *key, const void *base)
{
	const void *pointer;

	memcpy(&pointer, (const char *)base + key->offset, sizeof(pointer));
	return pointer;
}

static size_t count_of(const struct bm_key *key, const void *base)
{
	size_t count;

	memcpy(&count, (const char *)base + key->count_offset, sizeof(count));
	return count;
}

/* A section that has only things nobody gave is left out: `ready` of a unit. */
static bool is_absent(const struct bm_key *section, const void *base)
{
	char prefix[PREFIX_BYTES];
	bool can_be_absent = false;

	bm_key_inner_prefix(section, prefix, sizeof(prefix));
	for (size_t i = 0; i < bm_key_count; i++) {
		const struct bm_key *key = &bm_keys[i];
		if (bm_key_name_under(key, prefix) == NULL) {
			continue;
		}
		if (key->type == BM_KEY_TEXT || key->type == BM_KEY_WORDS) {
			can_be_absent = true;
			if (pointer_of(key, base) != NULL) {
				return false;
			}
		} else if (key->type == BM_KEY_PAIRS) {
			const char *const *pairs = pointer_of(key, base);
			if (pairs[0] != NULL) {
				return false;
			}
		}
	}
	return can_be_absent;
}

static void begin_line(struct writer *writer, const char *name)
{
	int indent = writer->dash ? writer->indent - 2 : writer->indent;

	bm_strbuf_printf(writer->out, "%*s%s%s:", indent, "", writer->dash ? "- " : "", name);
	writer->dash = false;
}

static void end_line(struct writer *writer, bool is_default)
{
	bm_strbuf_puts(writer->out, is_default && !writer->helpful ? " # default\n" : "\n");
}

/* The code point of a well-formed character of up to three bytes. */
static unsigned decode(const char *text, size_t size)
{
	const unsigned char *c = (const unsigned char *)text;

	if (size == 1) {
		return c[0];
	}
	unsigned two = (unsigned)(c[0] & 0x1f) << 6 | (c[1] & 0x3f);
	return size == 2 ? two : (two & 0x3ff) << 6 | (c[2] & 0x3f);
}

/* Characters that YAML does not take as they are, or takes for the end of a line. */
static bool needs_escape(unsigned point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
			point == 0x2029 || point == 0xfeff || point == 0xfffe ||
			point == 0xffff;
}

/* A double-quoted YAML text; whatever reached a configuration is UTF-8. */
static void write_quoted(struct bm_strbuf *out, const char *text)
{
	size_t left = strlen(text);
	size_t size;

	bm_strbuf_putc(out, '"');
	for (; (size = bm_utf8_length(text, left)) > 0; text += size, left -= size) {
		if (text[0] == '"' || text[0] == '\\') {
			bm_strbuf_printf(out, "\\%c", text[0]);
		} else if (size <= 3 && needs_escape(decode(text, size))) {
			bm_strbuf_printf(out, "\\u%04x", decode(text, size));
		} else {
			bm_strbuf_add(out, text, size);
		}
	}
	bm_strbuf_putc(out, '"');
}

static void write_words(struct bm_strbuf *out, const char *const *words)
{
	bm_strbuf_puts(out, " [");
	for (size_t i = 0; words[i] != NULL; i++) {
		bm_strbuf_puts(out, i > 0 ? ", " : "");
		write_quoted(out, words[i]);
	}
	bm_strbuf_puts(out, "]");
}

static void write_pairs(struct writer *writer, const char *name, const char *const *pairs)
{
	begin_line(writer, name);
	if (pairs[0] == NULL) {
		bm_strbuf_puts(writer->out, " {}");
	}
	end_line(writer, pairs[0] == NULL);
	for (size_t i = 0; pairs[i] != NULL; i++) {
		const char *equals = strchr(pairs[i], '=');
		bool secret = bm_check_is_secret_pair(pairs[i]);
		bm_strbuf_printf(writer->out, "%*s%.*s: ", writer->indent + 2, "",
				(int)(equals - pairs[i]), pairs[i]);
		write_quoted(writer->out, secret ? "(hidden)" : equals + 1);
		bm_strbuf_puts(writer->out, "\n");
	}
}

static void write_list(struct writer *writer, const struct bm_key *key, const char *name,
		const void *base)
{
	size_t count = count_of(key, base);
	const char *element = pointer_of(key, base);
	char prefix[PREFIX_BYTES];

	begin_line(writer, name);
	bm_strbuf_puts(writer->out, count == 0 ? " []" : "");
	end_line(writer, count == 0);
	bm_key_inner_prefix(key, prefix, sizeof(prefix));
	writer->indent += 4;
	for (size_t i = 0; i < count; i++, element += key->element_size) {
		writer->dash = true;
		write_keys(writer, prefix, element);
	}
	writer->indent -= 4;
}

static void write_section(struct writer *writer, const struct bm_key *key, const char *name,
		const void *base)
{
	char prefix[PREFIX_BYTES];

	if (is_absent(key, base)) {
		return;
	}
	begin_line(writer, name);
	end_line(writer, false);
	bm_key_inner_prefix(key, prefix, sizeof(prefix));
	writer->indent += 2;
	write_keys(writer, prefix, base);
	writer->indent -= 2;
}

static void write_scalar(struct writer *writer, const struct bm_key *key, const char *name,
		const void *base)
{
	bool kept = key->offset != BM_KEY_NOT_KEPT;
	uint64_t value = kept ? bm_value_get(key, base) : key->fallback;

	begin_line(writer, name);
	bm_strbuf_putc(writer->out, ' ');
	bm_value_write(key, value, writer->out);
	end_line(writer, kept && value == key->fallback);
}

static void write_help(struct writer *writer, const struct bm_key *key)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	char start[PREFIX_BYTES];

	bm_strbuf_puts(&text, key->help);
	if (key->type != BM_KEY_SECTION) {
		bm_strbuf_puts(&text, " Allowed: ");
		bm_value_describe(key, &text);
		bm_strbuf_puts(&text, ".");
	}
	memset(start, ' ', sizeof(start));
	memcpy(start + writer->indent, "# ", sizeof("# "));
	bm_strbuf_puts(writer->out, writer->indent == 0 ? "\n" : "");
	bm_wrap(writer->out, start, start, bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

static void write_key(struct writer *writer, const struct bm_key *key, const char *name,
		const void *base)
{
	const char *fallback = key->fallback_text;
	const void *pointer;
	bool usual = false;

	switch (key->type) {
	case BM_KEY_SECTION:
		write_section(writer, key, name, base);
		break;
	case BM_KEY_LIST:
		write_list(writer, key, name, base);
		break;
	case BM_KEY_PAIRS:
		write_pairs(writer, name, pointer_of(key, base));
		break;
	case BM_KEY_TEXT:
	case BM_KEY_WORDS:
		pointer = pointer_of(key, base);
		if (pointer == NULL) {
			break;
		}
		begin_line(writer, name);
		if (key->type == BM_KEY_WORDS) {
			write_words(writer->out, pointer);
		} else {
			usual = fallback != NULL && strcmp(pointer, fallback) == 0;
			bm_strbuf_putc(writer->out, ' ');
			write_quoted(writer->out, pointer);
		}
		end_line(writer, usual);
		break;
	default:
		write_scalar(writer, key, name, base);
		break;
	}
}

static void write_keys(struct writer *writer, const char *prefix, const void *base)
{
	for (size_t i = 0; i < bm_key_count; i++) {
		const char *name = bm_key_name_under(&bm_keys[i], prefix);
		if (name != NULL) {
			if (writer->helpful) {
				write_help(writer, &bm_keys[i]);
			}
			write_key(writer, &bm_keys[i], name, base);
		}
	}
}

void bm_config_show(const struct bm_config *config, struct bm_strbuf *out)
{
	struct writer writer = {.out = out};

	write_keys(&writer, "", config);
}

static const char example_head[] =
		"# Configuration of the bucardo machine, every key at its default.\n"
		"#\n"
		"# Copy this file to machine.yaml beside it and keep what you change: a key that\n"
		"# is left out has its default. `bucardo-machine config check` tells whether it is\n"
		"# right, `bucardo-machine config show` what is in effect. The machine notices a\n"
		"# change by itself; from a file with an error it takes nothing.\n";

static const char example_unit[] =
		"#  - name: tunnel\n"
		"#    command: [ssh, -N, -L, \"7446:db.internal:5432\", bastion]\n"
		"#    env: {SSH_AUTH_SOCK: /run/agent}\n"
		"#    cwd: /var/lib/bucardo-machine/home\n"
		"#    ready: {tcp: \"127.0.0.1:7446\", timeout: 30s} # or exec: [PROGRAM, ARGUMENT]\n"
		"#    stop_timeout: 5s\n";

static const char example_migration[] =
		"#  - name: app\n"
		"#    source: {host: 10.0.0.1, port: 5433, dbname: app, user: app_owner}\n"
		"#    destination: {host: db.example.com, dbname: app, user: app_owner,\n"
		"#      sslmode: verify-full, sslrootcert: /etc/ssl/certs/ca-certificates.crt}\n"
		"#    direction: both\n"
		"#    syncs: 1\n"
		"#    run_until: replicate\n"
		"#    tables: {include: [\"public.*\"], exclude: [\"public.log_*\"]}\n"
		"#    owners: keep\n"
		"#    grants: keep\n"
		"#    roles: {old_app: app}\n"
		"#    create_roles: false\n"
		"#    extensions: {skip: [pg_cron], versions: {postgis: source}}\n"
		"#    copy: {jobs: 4, max_rate: 50MB, throttle: true, foreign_keys: trust}\n"
		"#    cutover:\n"
		"#      budget: 1s\n"
		"#      quiesce: lock\n"
		"#      way_back: false\n"
		"#      hooks: # docs/cutover-hooks.md\n"
		"#        - name: pooler\n"
		"#          type: pgbouncer\n"
		"#          connection: {host: 127.0.0.1, port: 6432, user: pgbouncer}\n"
		"#          databases: [app]\n"
		"#          file: /etc/pgbouncer/databases.ini\n"
		"#          destination: {host: db.internal, port: 5433} # as it reaches it\n"
		"#        - name: restart\n"
		"#          type: command\n"
		"#          command: [/usr/local/bin/restart-app]\n"
		"#          when: after\n"
		"#          timeout: 30s\n"
		"#        - name: announce\n"
		"#          type: sql\n"
		"#          connection: {host: 10.0.0.9, dbname: settings, user: deploy}\n"
		"#          statements: [\"NOTIFY moved\"]\n"
		"#    verify: {continuous: true, max_load: 10, interval: 30s, full_every: 24h}\n";

static const char example_http[] = "#http:\n"
				   "#  listen: \":8080\"\n"
				   "#  token_file: /etc/bucardo-machine/http/token\n"
				   "#  tls: {certificate: /etc/bucardo-machine/http/tls.crt,\n"
				   "#    key: /etc/bucardo-machine/http/tls.key}\n";

static const char example_notify[] = "#notify:\n"
				     "#  settle: 15s\n"
				     "#  receivers: # docs/notify.md\n"
				     "#    - name: chat\n"
				     "#      url_file: /etc/bucardo-machine/notify/chat-url\n"
				     "#      least: warn\n"
				     "#    - name: pager\n"
				     "#      url: https://pager.internal/bucardo\n"
				     "#      token_file: /etc/bucardo-machine/notify/token\n"
				     "#      ca_file: /etc/bucardo-machine/notify/ca.crt\n"
				     "#      timeout: 10s\n"
				     "#      interval: 60s\n"
				     "#    - name: script\n"
				     "#      command: [/usr/local/bin/tell-them]\n";

void bm_config_example(struct bm_strbuf *out)
{
	struct writer writer = {.out = out, .helpful = true};
	struct bm_config *config = bm_config_create_default();

	bm_strbuf_puts(out, example_head);
	write_keys(&writer, "", config);
	bm_strbuf_puts(out, "# A unit looks like this (replace the [] above):\n");
	bm_strbuf_puts(out, example_unit);
	bm_strbuf_puts(out, "\n# A migration looks like this (replace the [] above):\n");
	bm_strbuf_puts(out, example_migration);
	bm_strbuf_puts(out, "\n# And so does http:\n");
	bm_strbuf_puts(out, example_http);
	bm_strbuf_puts(out, "\n# And so does notify:\n");
	bm_strbuf_puts(out, example_notify);
	bm_config_destroy(config);
}
