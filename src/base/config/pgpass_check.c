/* A password file's lines, held against how libpq will read them. */
#include "base/config/pgpass.h"

#include <stdbool.h>
#include <string.h>

#include "bucardo_machine/macros.h"

/* More lines than this are counted only. */
#define MOST_WARNINGS 20

#define FIELDS 5

struct check {
	const char *name;
	struct bm_strbuf *warnings;
	size_t count;
	size_t entries;
	bool reported_crlf;
};

/* One line without its end; the fields point into it. */
struct entry {
	const char *text;
	size_t length;
	size_t field_count; /* may be above FIELDS */
	struct {
		const char *text;
		size_t length;
	} fields[FIELDS];
};

static void warn(struct check *check, size_t line, const char *what)
{
	if (check->count++ < MOST_WARNINGS) {
		bm_strbuf_printf(
				check->warnings, "%s: line %zu: %s\n", check->name, line, what);
	}
}

static void split(struct entry *entry)
{
	const char *start = entry->text;
	const char *end = entry->text + entry->length;

	for (const char *p = start;; p++) {
		if (p < end && *p == '\\' && p + 1 < end) {
			p++;
			continue;
		}
		if (p < end && *p != ':') {
			continue;
		}
		if (entry->field_count < FIELDS) {
			entry->fields[entry->field_count].text = start;
			entry->fields[entry->field_count].length = (size_t)(p - start);
		}
		entry->field_count++;
		start = p + 1;
		if (p >= end) {
			return;
		}
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_all_blank(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && is_blank(text[i])) {
		i++;
	}
	return i == length;
}

static bool has_few_fields(const struct entry *entry)
{
	return entry->field_count < FIELDS;
}

static bool has_many_fields(const struct entry *entry)
{
	return entry->field_count > FIELDS;
}

static bool has_no_password(const struct entry *entry)
{
	return entry->field_count == FIELDS && entry->fields[FIELDS - 1].length == 0;
}

static bool has_empty_field(const struct entry *entry)
{
	for (size_t i = 0; i < FIELDS && i < entry->field_count; i++) {
		if (entry->fields[i].length == 0) {
			return true;
		}
	}
	return false;
}

static bool has_odd_port(const struct entry *entry)
{
	const char *port = entry->fields[1].text;
	size_t length = entry->fields[1].length;

	if (entry->field_count < FIELDS || length == 0 || (length == 1 && port[0] == '*')) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (port[i] < '0' || port[i] > '9') {
			return true;
		}
	}
	return length > 5;
}

static bool starts_blank(const struct entry *entry)
{
	return is_blank(entry->text[0]);
}

static bool ends_blank(const struct entry *entry)
{
	return is_blank(entry->text[entry->length - 1]);
}

static bool has_nul(const struct entry *entry)
{
	return memchr(entry->text, '\0', entry->length) != NULL;
}

static bool starts_with_mark(const struct entry *entry)
{
	return entry->length >= 3 && memcmp(entry->text, "\xef\xbb\xbf", 3) == 0;
}

/* The first that holds is told. */
static const struct {
	bool (*holds)(const struct entry *entry);
	const char *what;
} rules[] = {
		{starts_with_mark,
				"starts with a byte order mark, which becomes a part of the "
				"host; save the file without it"},
		{has_nul, "holds a NUL byte; the file must be text"},
		{has_few_fields,
				"has fewer than 5 fields and is ignored; write "
				"host:port:database:user:password"},
		{has_many_fields,
				"has more than 5 fields, so the password ends early; write a ':' "
				"inside a field as '\\:' and a '\\' as '\\\\'"},
		{has_no_password, "has no password after its fourth ':'"},
		{has_empty_field,
				"has an empty field, which matches nothing; write '*' for any "
				"host, port, database or user"},
		{has_odd_port,
				"has a second field that is no port number and not '*'; write "
				"host:port:database:user:password"},
		{starts_blank, "starts with a blank, which becomes a part of the host"},
		{ends_blank, "ends with a blank, which becomes a part of the password"},
};

static void check_line(struct check *check, size_t number, const char *text, size_t length)
{
	struct entry entry = {.text = text, .length = length};

	if (length > 0 && text[length - 1] == '\r') {
		entry.length--;
		if (!check->reported_crlf) {
			check->reported_crlf = true;
			warn(check, number,
					"ends with CR LF, which not every program takes; "
					"save the file with LF line ends");
		}
	}
	if (is_all_blank(text, entry.length) || text[0] == '#') {
		return;
	}
	split(&entry);
	check->entries += entry.field_count >= FIELDS;
	for (size_t i = 0; i < BM_COUNT_OF(rules); i++) {
		if (rules[i].holds(&entry)) {
			warn(check, number, rules[i].what);
			return;
		}
	}
}

void bm_pgpass_check(
		const char *name, const char *text, size_t length, struct bm_strbuf *warnings)
{
	struct check check = {.name = name, .warnings = warnings};
	const char *end = text + length;
	size_t number = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline != NULL ? newline : end;
		check_line(&check, ++number, text, (size_t)(stop - text));
		text = stop + 1;
	}
	if (check.count > MOST_WARNINGS) {
		bm_strbuf_printf(warnings, "%s: %zu more lines are not shown\n", name,
				check.count - MOST_WARNINGS);
	}
	if (check.entries == 0) {
		bm_strbuf_printf(warnings,
				"%s: has no entry; databases that ask for a password will refuse "
				"us\n",
				name);
	}
}
