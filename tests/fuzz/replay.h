/*
 * replay - main() for fuzz targets that are not built with libFuzzer
 *
 *   fuzz_X [-rounds=N] FILE_OR_FOLDER...
 *
 * Runs the target on each file as it is, then on N random mutations of it
 * (default 0), the same ones in each run. Prints the number of inputs.
 */
#ifndef TESTS_FUZZ_REPLAY_H
#define TESTS_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef BM_WITH_LIBFUZZER

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"

static unsigned long rounds, inputs;

/* xorshift: the same sequence everywhere. */
static uint32_t next_random(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static void run(const char *data, size_t size)
{
	/* An exact copy: a read behind its end is seen by the sanitizer. */
	uint8_t *copy = bm_alloc(size);

	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	inputs++;
}

static void mutate(struct bm_strbuf *text)
{
	static const char special[] = "\n\t :-[]{},'\"\\&*!%#~?|>\r\0\x80\xff";
	unsigned changes = next_random() % 4 + 1;

	while (changes-- > 0 && text->length > 0) {
		size_t at = next_random() % text->length;
		size_t count = next_random() % (text->length - at) % 64;
		switch (next_random() % 4) {
		case 0:
			text->text[at] = (char)next_random();
			break;
		case 1:
			text->text[at] = special[next_random() % (sizeof(special) - 1)];
			break;
		case 2: /* leave a piece out */
			memmove(text->text + at, text->text + at + count,
					text->length - at - count);
			text->length -= count;
			break;
		default: { /* repeat a piece at the end */
			char *piece = bm_strndup(text->text + at, count);
			bm_strbuf_puts(text, piece);
			free(piece);
			break;
		}
		}
	}
}

static void run_file(const char *path)
{
	struct bm_strbuf seed = BM_STRBUF_INIT, text = BM_STRBUF_INIT;
	struct bm_error err = BM_ERROR_INIT;

	if (bm_file_load(path, (size_t)4 * 1024 * 1024, &seed, &err) != 0) {
		fprintf(stderr, "%s\n", err.message);
		exit(2);
	}
	run(bm_strbuf_text(&seed), seed.length);
	for (unsigned long i = 0; i < rounds; i++) {
		bm_strbuf_clear(&text);
		bm_strbuf_add(&text, bm_strbuf_text(&seed), seed.length);
		mutate(&text);
		run(text.text, text.length);
	}
	bm_strbuf_finish(&seed);
	bm_strbuf_finish(&text);
}

static void run_path(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL) {
		run_file(path);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] != '.') {
			char *inside = bm_format("%s/%s", path, entry->d_name);
			run_file(inside);
			free(inside);
		}
	}
	closedir(folder);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-rounds=", 8) == 0) {
			rounds = strtoul(argv[i] + 8, NULL, 10);
		} else {
			run_path(argv[i]);
		}
	}
	printf("%lu inputs\n", inputs);
	return inputs > 0 ? 0 : 2;
}

#endif
#endif
