/* Messages on their way to a server: whole, in order, rows joined and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "worker/session/send_queue.h"

struct scene {
	struct bm_send_queue queue;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct scene));
	return *state == NULL;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	bm_send_queue_free(&scene->queue);
	free(scene);
	return 0;
}

/* The next message that would go out: it is taken; its body is compared. */
static void assert_message(
		struct bm_send_queue *queue, char type, const char *body, size_t length)
{
	uint32_t size;

	assert_true(bm_send_queue_length(queue) >= BM_MESSAGE_HEADER_BYTES + length);
	const char *data = queue->data + queue->start;
	memcpy(&size, data + 1, sizeof(size));
	assert_int_equal(data[0], type);
	assert_int_equal(ntohl(size), length + 4);
	assert_memory_equal(data + BM_MESSAGE_HEADER_BYTES, body, length);
	queue->start += BM_MESSAGE_HEADER_BYTES + length;
}

static void test_a_message_has_its_type_its_length_and_its_body(void **state)
{
	struct scene *scene = *state;

	bm_send_queue_message(&scene->queue, 'Q', "SELECT 1", 9);
	bm_send_queue_message(&scene->queue, 'c', NULL, 0);
	assert_message(&scene->queue, 'Q', "SELECT 1", 9);
	assert_message(&scene->queue, 'c', "", 0);
	assert_int_equal(bm_send_queue_length(&scene->queue), 0);
}

static void test_small_rows_travel_in_one_message(void **state)
{
	struct scene *scene = *state;

	bm_send_queue_rows(&scene->queue, "one\n", 4);
	bm_send_queue_rows(&scene->queue, "two\n", 4);
	bm_send_queue_close_rows(&scene->queue);
	assert_message(&scene->queue, 'd', "one\ntwo\n", 8);
	assert_int_equal(bm_send_queue_length(&scene->queue), 0);
}

static void test_rows_go_before_the_message_that_follows_them(void **state)
{
	struct scene *scene = *state;

	bm_send_queue_rows(&scene->queue, "row\n", 4);
	bm_send_queue_message(&scene->queue, 'c', NULL, 0);
	bm_send_queue_rows(&scene->queue, "next\n", 5);
	bm_send_queue_close_rows(&scene->queue);
	assert_message(&scene->queue, 'd', "row\n", 4);
	assert_message(&scene->queue, 'c', "", 0);
	assert_message(&scene->queue, 'd', "next\n", 5);
}

static void test_rows_after_those_that_went_out_begin_a_message_of_their_own(void **state)
{
	struct scene *scene = *state;

	bm_send_queue_rows(&scene->queue, "first", 5);
	bm_send_queue_close_rows(&scene->queue);
	scene->queue.start += 3; /* a part of it went out */
	bm_send_queue_rows(&scene->queue, "second", 6);
	bm_send_queue_close_rows(&scene->queue);
	scene->queue.start += BM_MESSAGE_HEADER_BYTES + 5 - 3;
	assert_message(&scene->queue, 'd', "second", 6);
}

static void test_a_big_row_is_cut_into_messages_of_the_limit(void **state)
{
	struct scene *scene = *state;
	size_t size = 2 * BM_ROWS_MESSAGE_BYTES + 7;
	char *row = malloc(size);

	assert_non_null(row);
	for (size_t i = 0; i < size; i++) {
		row[i] = (char)(i % 251);
	}
	bm_send_queue_rows(&scene->queue, row, size);
	bm_send_queue_close_rows(&scene->queue);
	assert_message(&scene->queue, 'd', row, BM_ROWS_MESSAGE_BYTES);
	assert_message(&scene->queue, 'd', row + BM_ROWS_MESSAGE_BYTES, BM_ROWS_MESSAGE_BYTES);
	assert_message(&scene->queue, 'd', row + 2 * BM_ROWS_MESSAGE_BYTES, 7);
	free(row);
}

static void test_a_queue_that_is_emptied_in_between_stays_small(void **state)
{
	struct scene *scene = *state;
	char row[1000] = {0};

	for (int i = 0; i < 10000; i++) {
		bm_send_queue_rows(&scene->queue, row, sizeof(row));
		bm_send_queue_close_rows(&scene->queue);
		scene->queue.start = scene->queue.end - 1; /* a byte is always left */
	}
	assert_in_range(scene->queue.capacity, 1, 8 * sizeof(row));
}

static void test_nothing_to_close_is_no_message(void **state)
{
	struct scene *scene = *state;

	bm_send_queue_close_rows(&scene->queue);
	bm_send_queue_rows(&scene->queue, "", 0);
	bm_send_queue_close_rows(&scene->queue);
	assert_int_equal(bm_send_queue_length(&scene->queue), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					test_a_message_has_its_type_its_length_and_its_body,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(test_small_rows_travel_in_one_message,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					test_rows_go_before_the_message_that_follows_them,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					test_rows_after_those_that_went_out_begin_a_message_of_their_own,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					test_a_big_row_is_cut_into_messages_of_the_limit,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					test_a_queue_that_is_emptied_in_between_stays_small,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					test_nothing_to_close_is_no_message, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
