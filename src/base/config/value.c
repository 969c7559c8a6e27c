/* Scalars into values and back, by the key's type. */
#include "base/config/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/macros.h"
#include "base/config/problems.h"

/* More digits than this are beyond every limit; fewer never overflow. */
#define MOST_DIGITS 12

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, and a NULL at the end: bm_value_write() takes the first that divides. */
static const struct unit spans[] = {
		{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
/* As PostgreSQL has them in its settings and sizes, and as words.h shows them: 1 kB is 1024 B.
 * The second name of each means the same. */
static const struct unit rates[] = {{"GB", 1 << 30}, {"GiB", 1 << 30}, {"MB", 1 << 20},
		{"MiB", 1 << 20}, {"kB", 1 << 10}, {"KiB", 1 << 10}, {"B", 1}, {NULL, 0}};

/* How a rate that is no limit is written. */
#define NO_RATE "none"

/* Digits at the start of `text`; false when there are none or too many. */
static bool read_digits(const char *text, uint64_t *number, const char **rest)
{
	size_t digits = strspn(text, "0123456789");

	*rest = text + digits;
	*number = digits > 0 && digits <= MOST_DIGITS ? strtoull(text, NULL, 10) : 0;
	return digits > 0 && digits <= MOST_DIGITS;
}

/* `hint` says on entry what a text without any number is. */
static bool read_with_unit(
		const struct unit *units, const char *text, uint64_t *value, const char **hint)
{
	const char *rest;
	uint64_t number;

	if (!read_digits(text, &number, &rest)) {
		return false;
	}
	rest += strspn(rest, " ");
	for (; units->name != NULL; units++) {
		if (strcmp(rest, units->name) == 0) {
			bool fits = number <= UINT64_MAX / units->factor;
			*value = fits ? number * units->factor : UINT64_MAX;
			*hint = "";
			return true;
		}
	}
	*hint = rest[0] == '\0' ? ", a number without a unit" : ", an unknown unit";
	return false;
}

static bool read_boolean(const char *text, uint64_t *value)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i % 2;
			return true;
		}
	}
	return false;
}

static bool read_choice(const char *const *choices, const char *text, uint64_t *value)
{
	for (size_t i = 0; choices[i] != NULL; i++) {
		if (strcmp(text, choices[i]) == 0) {
			*value = i;
			return true;
		}
	}
	return false;
}

static bool is_in_range(const struct bm_key *key, uint64_t value)
{
	return value >= key->minimum && value <= key->maximum;
}

static bool read_rate(
		const struct bm_key *key, const char *text, uint64_t *value, const char **hint)
{
	if (strcmp(text, NO_RATE) == 0) {
		*value = 0;
		return true;
	}
	return read_with_unit(rates, text, value, hint) && is_in_range(key, *value);
}

static const struct unit *units_of(const struct bm_key *key)
{
	return key->type == BM_KEY_DURATION ? spans : rates;
}

/* " (units: ms, s, min, h)", smallest first */
static void describe_units(const struct unit *units, struct bm_strbuf *out)
{
	size_t count = 0;

	while (units[count].name != NULL) {
		count++;
	}
	bm_strbuf_puts(out, " (units: ");
	for (size_t i = count; i > 0; i--) {
		bm_strbuf_printf(out, "%s%s", units[i - 1].name, i > 1 ? ", " : ")");
	}
}

bool bm_value_read(const struct bm_key *key, const char *text, uint64_t *value,
		struct bm_strbuf *problem)
{
	const char *hint = "";
	const char *rest = "";
	bool good = false;

	switch (key->type) {
	case BM_KEY_DURATION:
		hint = ", no duration";
		good = read_with_unit(spans, text, value, &hint) && is_in_range(key, *value);
		break;
	case BM_KEY_RATE:
		hint = ", no rate";
		good = read_rate(key, text, value, &hint);
		break;
	case BM_KEY_COUNT:
		good = read_digits(text, value, &rest) && rest[0] == '\0' &&
				is_in_range(key, *value);
		break;
	case BM_KEY_BOOLEAN:
		good = read_boolean(text, value);
		break;
	case BM_KEY_CHOICE:
		good = read_choice(key->choices, text, value);
		hint = key->is_asked_for != NULL && key->is_asked_for(text)
				? ", which a person asks for by the command of that name"
				: "";
		break;
	default:
		break;
	}
	if (!good) {
		bm_strbuf_puts(problem, "found ");
		bm_report_quote(problem, text);
		bm_strbuf_printf(problem, "%s; allowed: ", hint);
		bm_value_describe(key, problem);
		if (hint[0] != '\0' && key->type != BM_KEY_CHOICE) {
			describe_units(units_of(key), problem);
		}
	}
	return good;
}

static void write_with_unit(const struct unit *units, uint64_t value, struct bm_strbuf *out)
{
	while (units[1].name != NULL && (value == 0 || value % units->factor != 0)) {
		units++;
	}
	bm_strbuf_printf(out, "%" PRIu64 "%s", value / units->factor, units->name);
}

void bm_value_write(const struct bm_key *key, uint64_t value, struct bm_strbuf *out)
{
	if (key->type == BM_KEY_RATE && value == 0) {
		bm_strbuf_puts(out, NO_RATE);
	} else if (key->type == BM_KEY_DURATION || key->type == BM_KEY_RATE) {
		write_with_unit(units_of(key), value, out);
	} else if (key->type == BM_KEY_BOOLEAN) {
		bm_strbuf_puts(out, value != 0 ? "true" : "false");
	} else if (key->type == BM_KEY_CHOICE) {
		bm_strbuf_puts(out, key->choices[value]);
	} else {
		bm_strbuf_printf(out, "%" PRIu64, value);
	}
}

static void describe_choices(const struct bm_key *key, struct bm_strbuf *out)
{
	for (size_t i = 0; key->choices[i] != NULL; i++) {
		bm_strbuf_printf(out, "%s%s", i > 0 ? ", " : "one of ", key->choices[i]);
	}
}

void bm_value_describe(const struct bm_key *key, struct bm_strbuf *out)
{
	if (key->type == BM_KEY_CHOICE) {
		describe_choices(key, out);
	} else if (key->type == BM_KEY_BOOLEAN) {
		bm_strbuf_puts(out, "true or false");
	} else if (key->type == BM_KEY_LIST) {
		bm_strbuf_printf(out, "a list of at most %" PRIu64 " mappings", key->maximum);
	} else if (key->type == BM_KEY_DURATION || key->type == BM_KEY_RATE ||
			key->type == BM_KEY_COUNT) {
		bool one = key->minimum == key->maximum;
		bm_strbuf_printf(out, "%s %s", one ? "the" : "a", bm_key_type_name(key->type));
		bm_strbuf_puts(out, one ? " " : " from ");
		bm_value_write(key, key->minimum, out);
		bm_strbuf_puts(out, one ? "" : " to ");
		if (!one) {
			bm_value_write(key, key->maximum, out);
		}
		if (key->type == BM_KEY_RATE) {
			bm_strbuf_puts(out, " a second, or " NO_RATE);
		}
	} else {
		bm_strbuf_printf(out, "a %s%s%s", bm_key_type_name(key->type),
				key->shape != NULL ? ": " : "",
				key->shape != NULL ? key->shape : "");
	}
}

uint64_t bm_value_get(const struct bm_key *key, const void *base)
{
	const char *place = (const char *)base + key->offset;
	uint64_t wide;
	unsigned narrow;
	bool boolean;

	switch (key->type) {
	case BM_KEY_DURATION:
	case BM_KEY_RATE:
		memcpy(&wide, place, sizeof(wide));
		return wide;
	case BM_KEY_BOOLEAN:
		memcpy(&boolean, place, sizeof(boolean));
		return boolean;
	default:
		memcpy(&narrow, place, sizeof(narrow));
		return narrow;
	}
}

void bm_value_put(const struct bm_key *key, void *base, uint64_t value)
{
	unsigned narrow = (unsigned)value;
	bool boolean = value != 0;

	if (key->offset == BM_KEY_NOT_KEPT) {
		return;
	}
	char *place = (char *)base + key->offset;
	switch (key->type) {
	case BM_KEY_DURATION:
	case BM_KEY_RATE:
		memcpy(place, &value, sizeof(value));
		break;
	case BM_KEY_BOOLEAN:
		memcpy(place, &boolean, sizeof(boolean));
		break;
	default:
		memcpy(place, &narrow, sizeof(narrow));
		break;
	}
}

bool bm_config_read_rate(const char *text, uint64_t *rate, struct bm_strbuf *problem)
{
	return bm_value_read(
			bm_key_find("migrations[].copy.", "max_rate"), text, rate, problem);
}
