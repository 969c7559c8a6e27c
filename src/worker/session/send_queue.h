/*
 * send_queue - bytes on their way to a server, as messages of its protocol
 *
 * A message is a type byte, four bytes of length that include themselves, and a body.
 * Rows of a COPY are added as they come, in pieces or many at once, and travel in
 * messages of up to BM_ROWS_MESSAGE_BYTES: many small rows in one message, a big row in
 * several. What is in the queue may be sent after bm_send_queue_close_rows(). Begin with
 * a zeroed structure; it grows as needed.
 */
#ifndef WORKER_SESSION_SEND_QUEUE_H
#define WORKER_SESSION_SEND_QUEUE_H

#include <stddef.h>

#define BM_MESSAGE_HEADER_BYTES 5

/*
 * Each message costs the destination: a message a row took 9 % more CPU for all of a clone
 * of pgbench_accounts (PostgreSQL 15, both servers counted). It takes one into memory
 * whole, and its COPY reads the stream in steps of this size (RAW_BUF_SIZE in PostgreSQL's
 * copyfrom_internal.h).
 */
#define BM_ROWS_MESSAGE_BYTES ((size_t)64 * 1024)

struct bm_send_queue {
	char *data;
	size_t start, end; /* of what was not sent yet */
	size_t capacity;
	size_t rows; /* bytes of rows in the message at the end that is open; 0: none is */
};

size_t bm_send_queue_length(const struct bm_send_queue *queue);

/* One whole message; rows that came before it go before it. */
void bm_send_queue_message(
		struct bm_send_queue *queue, char type, const char *body, size_t length);

/* More of the rows of a COPY. */
void bm_send_queue_rows(struct bm_send_queue *queue, const char *data, size_t length);

/* The message of rows at the end gets its length: all of the queue may go out. */
void bm_send_queue_close_rows(struct bm_send_queue *queue);

void bm_send_queue_free(struct bm_send_queue *queue);

#endif
