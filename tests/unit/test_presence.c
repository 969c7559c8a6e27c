/* Who is at the other end of a terminal: when to ask, when to give up, what typing looks like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/terminal/answer_filter.h"
#include "client/commands/presence.h"

#define SECOND 1000u

/* A client that sits at a terminal, and what was done to it, second by second. */
struct story {
	struct cli_presence presence;
	bool answers, takes; /* what this client's terminal does */
	unsigned asked, flooded, kept_alive;
	uint64_t gone_at; /* 0: still there */
};

static struct story begin(uint64_t keepalive, uint64_t hangup)
{
	struct story story = {.takes = true};

	cli_presence_begin(&story.presence, keepalive * SECOND, hangup * SECOND, 0);
	return story;
}

static void take_step(struct story *story, enum cli_presence_step step, uint64_t now)
{
	switch (step) {
	case CLI_PRESENCE_ASK:
		story->asked++;
		if (story->answers) {
			cli_presence_answered(&story->presence, now);
		}
		break;
	case CLI_PRESENCE_FLOOD:
		story->flooded++;
		if (story->takes) {
			cli_presence_took(&story->presence, CLI_FLOOD_BYTES, false, now);
		}
		break;
	case CLI_PRESENCE_KEEPALIVE:
		story->kept_alive++;
		break;
	case CLI_PRESENCE_GONE:
		story->gone_at = now;
		break;
	case CLI_PRESENCE_WAIT:
		break;
	}
}

static void pass(struct story *story, uint64_t from, uint64_t to, bool calm)
{
	for (uint64_t now = from * SECOND; now <= to * SECOND; now += 100) {
		enum cli_presence_step step;
		uint64_t wait;
		do {
			step = cli_presence_next(&story->presence, calm, now, &wait);
			take_step(story, step, now);
		} while (step != CLI_PRESENCE_WAIT && story->gone_at == 0);
		if (story->gone_at != 0) {
			return;
		}
	}
}

static void test_a_terminal_that_answers_stays_for_ever(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	story.answers = true;
	cli_presence_answered(&story.presence, 0);
	pass(&story, 0, 3600, true);
	assert_int_equal(story.gone_at, 0);
	assert_int_equal(story.asked, 300);
	assert_int_equal(story.flooded, 0);
}

static void test_a_terminal_that_stops_answering_is_gone_in_time(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	cli_presence_answered(&story.presence, 0);
	pass(&story, 0, 100, true);
	assert_int_equal(story.gone_at, 40 * SECOND);
	assert_int_equal(story.asked, 3);
}

static void test_what_an_answering_terminal_takes_proves_nothing(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	cli_presence_answered(&story.presence, 0);
	cli_presence_took(&story.presence, 10 * CLI_FLOOD_BYTES, true, 30 * SECOND);
	pass(&story, 30, 100, true);
	assert_int_equal(story.gone_at, 40 * SECOND);
}

static void test_a_silent_terminal_stays_while_it_takes_bytes(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	pass(&story, 0, 600, true);
	assert_int_equal(story.gone_at, 0);
	assert_int_equal(story.flooded, 30);
	assert_int_equal(story.asked, 0);
}

static void test_a_silent_terminal_that_takes_nothing_is_gone_in_time(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	story.takes = false;
	pass(&story, 0, 100, true);
	assert_int_equal(story.gone_at, 40 * SECOND);
	assert_int_equal(story.flooded, 1);
}

static void test_typing_is_a_proof(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	story.takes = false;
	cli_presence_typed(&story.presence, 35 * SECOND);
	pass(&story, 35, 100, true);
	assert_int_equal(story.gone_at, 75 * SECOND);
}

static void test_nobody_is_gone_who_was_not_asked(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	cli_presence_answered(&story.presence, 0);
	for (uint64_t second = 0; second < 50; second++) { /* output that has no gap */
		cli_presence_took(&story.presence, 1, true, second * SECOND);
		pass(&story, second, second, false);
	}
	assert_int_equal(story.asked, 0);
	pass(&story, 50, 100, true);
	assert_int_equal(story.gone_at, 58 * SECOND);
}

static void test_output_that_is_stuck_needs_no_question(void **state)
{
	struct story story = begin(0, 40);

	(void)state;
	cli_presence_took(&story.presence, 1, true, 10 * SECOND);
	pass(&story, 10, 100, false);
	assert_int_equal(story.gone_at, 40 * SECOND);
}

static void test_silence_is_broken_once_per_period(void **state)
{
	struct story story = begin(150, 0);

	(void)state;
	pass(&story, 0, 149, true);
	assert_int_equal(story.kept_alive, 0);
	pass(&story, 150, 299, true);
	assert_int_equal(story.kept_alive, 1);
	cli_presence_took(&story.presence, 1, true, 299 * SECOND);
	pass(&story, 300, 448, true);
	assert_int_equal(story.kept_alive, 1);
	pass(&story, 449, 449, true);
	assert_int_equal(story.kept_alive, 2);
}

static void test_everything_can_be_switched_off(void **state)
{
	struct story story = begin(0, 0);
	uint64_t wait = 1;

	(void)state;
	assert_int_equal(cli_presence_next(&story.presence, true, 1000000, &wait),
			CLI_PRESENCE_WAIT);
	assert_int_equal(wait, 0);
}

/* ---- answers in what is typed ---- */

/* Feed `text` in two pieces cut at `cut`; what comes out, held bytes included. */
static unsigned filtered(unsigned open, const char *text, size_t cut, char *out)
{
	struct cli_answer_filter filter = {.open = open};
	char piece[64];
	unsigned answers, all = 0;
	size_t length = strlen(text), used = 0;

	memcpy(piece, text, cut);
	size_t count = cli_answer_filter(&filter, piece, cut, &answers);
	memcpy(out, piece, count);
	used += count;
	all += answers;
	memcpy(piece, text + cut, length - cut);
	count = cli_answer_filter(&filter, piece, length - cut, &answers);
	memcpy(out + used, piece, count);
	used += count;
	all += answers;
	used += cli_answer_filter_release(&filter, out + used);
	out[used] = '\0';
	return all;
}

static void assert_filtered(
		unsigned open, const char *text, const char *expected, unsigned answers)
{
	char out[64];

	for (size_t cut = 0; cut <= strlen(text); cut++) {
		assert_int_equal(filtered(open, text, cut, out), answers);
		assert_string_equal(out, expected);
	}
}

static void test_an_answer_is_taken_out_wherever_it_is_torn(void **state)
{
	(void)state;
	assert_filtered(1, "\033[0n", "", 1);
	assert_filtered(1, "ls\033[0n -l\r", "ls -l\r", 1);
	assert_filtered(1, "\033[3n", "", 1);
	assert_filtered(2, "a\033[0nb\033[0nc", "abc", 2);
}

static void test_what_a_person_types_passes(void **state)
{
	(void)state;
	assert_filtered(1, "\033[A", "\033[A", 0);
	assert_filtered(1, "\033", "\033", 0);
	assert_filtered(1, "\033\033[0n", "\033", 1);
	assert_filtered(1, "\033[0;1n", "\033[0;1n", 0);
	assert_filtered(1, "\033[0\033[0n", "\033[0", 1);
	assert_filtered(1, "\033[0A\033OB", "\033[0A\033OB", 0);
}

static void test_answers_to_others_pass(void **state)
{
	(void)state;
	assert_filtered(0, "\033[0n", "\033[0n", 0);
	assert_filtered(1, "\033[0n\033[0n", "\033[0n", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_terminal_that_answers_stays_for_ever),
			cmocka_unit_test(test_a_terminal_that_stops_answering_is_gone_in_time),
			cmocka_unit_test(test_what_an_answering_terminal_takes_proves_nothing),
			cmocka_unit_test(test_a_silent_terminal_stays_while_it_takes_bytes),
			cmocka_unit_test(
					test_a_silent_terminal_that_takes_nothing_is_gone_in_time),
			cmocka_unit_test(test_typing_is_a_proof),
			cmocka_unit_test(test_nobody_is_gone_who_was_not_asked),
			cmocka_unit_test(test_output_that_is_stuck_needs_no_question),
			cmocka_unit_test(test_silence_is_broken_once_per_period),
			cmocka_unit_test(test_everything_can_be_switched_off),
			cmocka_unit_test(test_an_answer_is_taken_out_wherever_it_is_torn),
			cmocka_unit_test(test_what_a_person_types_passes),
			cmocka_unit_test(test_answers_to_others_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
