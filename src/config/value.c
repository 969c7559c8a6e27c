/* Scalars into values and back, by the key's type. */
#include "config/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "config/report.h"

/* More digits than this are beyond every limit; fewer never overflow. */
#define MOST_DIGITS 12

/* Largest first: bm_value_write() takes the first that divides. */
static const struct {
	const char *name;
	uint64_t msec;
} units[] = {{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};

/* Digits at the start of `text`; false when there are none or too many. */
static bool read_digits(const char *text, uint64_t *number, const char **rest)
{
	size_t digits = strspn(text, "0123456789");

	*rest = text + digits;
	*number = digits > 0 && digits <= MOST_DIGITS ? strtoull(text, NULL, 10) : 0;
	return digits > 0 && digits <= MOST_DIGITS;
}

static bool read_duration(const char *text, uint64_t *msec, const char **hint)
{
	const char *rest;
	uint64_t number;

	*hint = ", no duration";
	if (!read_digits(text, &number, &rest)) {
		return false;
	}
	rest += strspn(rest, " ");
	for (size_t i = 0; i < BM_COUNT_OF(units); i++) {
		if (strcmp(rest, units[i].name) == 0) {
			*msec = number * units[i].msec;
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

bool bm_value_read(const struct bm_key *key, const char *text, uint64_t *value,
		struct bm_strbuf *problem)
{
	const char *hint = "";
	const char *rest = "";
	bool good = false;

	switch (key->type) {
	case BM_KEY_DURATION:
		good = read_duration(text, value, &hint) && is_in_range(key, *value);
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
		break;
	default:
		break;
	}
	if (!good) {
		bm_strbuf_puts(problem, "found ");
		bm_report_quote(problem, text);
		bm_strbuf_printf(problem, "%s; allowed: ", hint);
		bm_value_describe(key, problem);
		bm_strbuf_puts(problem, hint[0] != '\0' ? " (units: ms, s, min, h)" : "");
	}
	return good;
}

static void write_duration(uint64_t msec, struct bm_strbuf *out)
{
	size_t i = 0;

	while (i + 1 < BM_COUNT_OF(units) && (msec == 0 || msec % units[i].msec != 0)) {
		i++;
	}
	bm_strbuf_printf(out, "%" PRIu64 "%s", msec / units[i].msec, units[i].name);
}

void bm_value_write(const struct bm_key *key, uint64_t value, struct bm_strbuf *out)
{
	if (key->type == BM_KEY_DURATION) {
		write_duration(value, out);
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
	} else if (key->type == BM_KEY_DURATION || key->type == BM_KEY_COUNT) {
		bool one = key->minimum == key->maximum;
		bm_strbuf_printf(out, "%s %s", one ? "the" : "a", bm_key_type_name(key->type));
		bm_strbuf_puts(out, one ? " " : " from ");
		bm_value_write(key, key->minimum, out);
		bm_strbuf_puts(out, one ? "" : " to ");
		if (!one) {
			bm_value_write(key, key->maximum, out);
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
