/* Checking UTF-8 by the table of well-formed byte sequences (Unicode, table 3-7). */
#include "bucardo_machine/utf8.h"

#include <string.h>

#include "bucardo_machine/macros.h"

/* Lead bytes first..last start a character of `size`; its second byte is low..high. */
struct form {
	unsigned char first, last, size, low, high;
};

/* clang-format off */
static const struct form forms[] = {
	{0x00, 0x7f, 1, 0x00, 0x00},
	{0xc2, 0xdf, 2, 0x80, 0xbf},
	{0xe0, 0xe0, 3, 0xa0, 0xbf},
	{0xe1, 0xec, 3, 0x80, 0xbf},
	{0xed, 0xed, 3, 0x80, 0x9f},
	{0xee, 0xef, 3, 0x80, 0xbf},
	{0xf0, 0xf0, 4, 0x90, 0xbf},
	{0xf1, 0xf3, 4, 0x80, 0xbf},
	{0xf4, 0xf4, 4, 0x80, 0x8f},
};
/* clang-format on */

size_t bm_utf8_length(const char *text, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)text;

	for (size_t i = 0; length > 0 && i < BM_COUNT_OF(forms); i++) {
		const struct form *form = &forms[i];
		if (bytes[0] < form->first || bytes[0] > form->last) {
			continue;
		}
		if (length < form->size) {
			return 0;
		}
		if (form->size > 1 && (bytes[1] < form->low || bytes[1] > form->high)) {
			return 0;
		}
		for (size_t tail = 2; tail < form->size; tail++) {
			if ((bytes[tail] & 0xc0) != 0x80) {
				return 0;
			}
		}
		return form->size;
	}
	return 0;
}

/* clang-format off */
/* The first `size` - 1 bytes, and the range of the last one. */
static const struct control {
	char lead[3];
	unsigned char size, low, high;
} controls[] = {
	{"", 1, 0x01, 0x1f}, {"", 1, 0x7f, 0x7f},
	{"\xc2", 2, 0x80, 0x9f},
	{"\xd8", 2, 0x9c, 0x9c},
	{"\xe2\x80", 3, 0x8e, 0x8f}, {"\xe2\x80", 3, 0xaa, 0xae},
	{"\xe2\x81", 3, 0xa6, 0xa9},
};
/* clang-format on */

size_t bm_utf8_control(const char *text)
{
	for (size_t i = 0; i < BM_COUNT_OF(controls); i++) {
		const struct control *control = &controls[i];
		size_t lead = control->size - 1u;
		unsigned char last = strncmp(text, control->lead, lead) == 0
				? (unsigned char)text[lead]
				: 0;
		if (last >= control->low && last <= control->high) {
			return control->size;
		}
	}
	return 0;
}
