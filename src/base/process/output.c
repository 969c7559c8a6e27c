/* One pipe, one unit's name: its lines go to the log, the last of them are kept. */
#include "base/process/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/lines.h"
#include "bucardo_machine/log.h"

/* Leaves room for escapes in the log's own limit of 8 KiB a line. */
#define LINE_LIMIT 4096

#define TAIL_BYTES 2048

struct bm_output {
	char *unit;
	struct bm_lines *lines;
	struct bm_strbuf *tail;
	void (*ended)(void *ctx, struct bm_output *output);
	void *ctx;
};

/* Forget what is older than the last TAIL_BYTES, whole lines where there are any. */
static void trim(struct bm_strbuf *tail)
{
	if (tail->length <= TAIL_BYTES) {
		return;
	}
	size_t surplus = tail->length - TAIL_BYTES;
	const char *newline = memchr(tail->text + surplus, '\n', TAIL_BYTES - 1);
	bm_strbuf_consume(tail, newline == NULL ? surplus : (size_t)(newline - tail->text) + 1);
}

static void on_line(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	struct bm_output *output = ctx;

	if (event == BM_LINES_END) {
		if (output->ended != NULL) {
			output->ended(output->ctx, output);
		}
		bm_output_close(output);
		return;
	}
	bm_log_child_line(output->unit, text, length, event == BM_LINES_PARTIAL);
	if (output->tail != NULL) {
		bm_strbuf_add(output->tail, text, length);
		bm_strbuf_puts(output->tail, event == BM_LINES_PARTIAL ? "" : "\n");
		trim(output->tail);
	}
}

struct bm_output *bm_output_open(struct bm_loop *loop, const char *unit, struct bm_strbuf *tail,
		void (*ended)(void *ctx, struct bm_output *output), void *ctx, int *write_fd,
		struct bm_error *err)
{
	int ends[2];

	if (bm_pipe(ends, err) != 0) {
		return NULL;
	}
	struct bm_output *output = bm_alloc(sizeof(*output));
	*output = (struct bm_output){.tail = tail, .ended = ended, .ctx = ctx};
	output->lines = bm_lines_open(loop, ends[0], LINE_LIMIT, on_line, output, err);
	if (output->lines == NULL) {
		close(ends[1]);
		free(output);
		return NULL;
	}
	output->unit = bm_strdup(unit);
	*write_fd = ends[1];
	return output;
}

void bm_output_read(struct bm_output *output)
{
	if (output != NULL) {
		bm_lines_read(output->lines);
	}
}

void bm_output_close(struct bm_output *output)
{
	if (output != NULL) {
		bm_lines_close(output->lines);
		free(output->unit);
		free(output);
	}
}
