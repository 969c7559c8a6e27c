/* The queue: one growing buffer, whose last message of rows may still be open. */
#include "worker/session/send_queue.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

size_t bm_send_queue_length(const struct bm_send_queue *queue)
{
	return queue->end - queue->start;
}

static void queue_add(struct bm_send_queue *queue, const void *data, size_t length)
{
	if (queue->start == queue->end) {
		queue->start = queue->end = 0;
	}
	if (queue->end + length > queue->capacity && queue->start > 0) {
		memmove(queue->data, queue->data + queue->start, bm_send_queue_length(queue));
		queue->end -= queue->start;
		queue->start = 0;
	}
	if (queue->end + length > queue->capacity) {
		queue->capacity = 2 * (queue->end + length);
		queue->data = bm_realloc(queue->data, queue->capacity, 1);
	}
	memcpy(queue->data + queue->end, data, length);
	queue->end += length;
}

static void write_header(char *header, char type, size_t length)
{
	uint32_t size = htonl((uint32_t)length + 4);

	header[0] = type;
	memcpy(header + 1, &size, 4);
}

void bm_send_queue_close_rows(struct bm_send_queue *queue)
{
	if (queue->rows > 0) {
		write_header(queue->data + queue->end - queue->rows - BM_MESSAGE_HEADER_BYTES,
				'd', queue->rows);
		queue->rows = 0;
	}
}

void bm_send_queue_message(
		struct bm_send_queue *queue, char type, const char *body, size_t length)
{
	char header[BM_MESSAGE_HEADER_BYTES];

	bm_send_queue_close_rows(queue);
	write_header(header, type, length);
	queue_add(queue, header, sizeof(header));
	if (length > 0) {
		queue_add(queue, body, length);
	}
}

void bm_send_queue_rows(struct bm_send_queue *queue, const char *data, size_t length)
{
	static const char header[BM_MESSAGE_HEADER_BYTES];

	while (length > 0) {
		if (queue->rows == 0) {
			queue_add(queue, header, sizeof(header));
		}
		size_t room = BM_ROWS_MESSAGE_BYTES - queue->rows;
		size_t part = length < room ? length : room;
		queue_add(queue, data, part);
		queue->rows += part;
		data += part;
		length -= part;
		if (part == room) {
			bm_send_queue_close_rows(queue);
		}
	}
}

void bm_send_queue_free(struct bm_send_queue *queue)
{
	free(queue->data);
	*queue = (struct bm_send_queue){0};
}
