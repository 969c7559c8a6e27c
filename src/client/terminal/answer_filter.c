/* Take a terminal's answers out of what a person types; see answer_filter.h. */
#include "client/terminal/answer_filter.h"

#include <stdbool.h>
#include <string.h>

/* Whether `c` can stand at position `at` of an answer. */
static bool fits(size_t at, char c)
{
	static const char *const allowed[] = {"\033", "[", "03", "n"};

	return c != '\0' && strchr(allowed[at], c) != NULL;
}

size_t cli_answer_filter_release(struct cli_answer_filter *filter, char *out)
{
	size_t count = filter->matched;

	memcpy(out, filter->held, count);
	filter->matched = 0;
	return count;
}

/* One byte in; appends what is certain to be typed, returns true for a whole answer. */
static bool step(struct cli_answer_filter *filter, char c, char *out, size_t *length)
{
	if (!fits(filter->matched, c)) {
		*length += cli_answer_filter_release(filter, out + *length);
		if (!fits(0, c)) {
			out[(*length)++] = c;
			return false;
		}
	}
	filter->held[filter->matched++] = c;
	if (filter->matched < sizeof(filter->held)) {
		return false;
	}
	filter->matched = 0;
	return true;
}

size_t cli_answer_filter(
		struct cli_answer_filter *filter, char *data, size_t length, unsigned *answers)
{
	char out[CLI_ANSWER_CHUNK + CLI_ANSWER_HELD];
	size_t count = 0;

	*answers = 0;
	out[0] = '\0';
	for (size_t i = 0; i < length; i++) {
		if (filter->open == 0) {
			count += cli_answer_filter_release(filter, out + count);
			out[count++] = data[i];
		} else if (step(filter, data[i], out, &count)) {
			filter->open--;
			(*answers)++;
		}
	}
	memcpy(data, out, count);
	return count;
}
