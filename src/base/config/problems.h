/*
 * problems - errors of one file, collected a line each
 *
 * Every line is `FILE:LINE:COLUMN: KEY.PATH: what was found; what is allowed`.
 * What a file says
 * may be secret: values go through bm_report_quote(), which hides passwords.
 */
#ifndef BASE_CONFIG_PROBLEMS_H
#define BASE_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "bucardo_machine/strbuf.h"

/* More errors than this are counted only: nobody fixes more in one go. */
#define BM_REPORT_MOST 50

struct bm_report {
	const char *file; /* borrowed */
	size_t count;	  /* of all errors, also of those that are not kept */
	struct bm_report_entry {
		size_t line, column;
		char *text;
	} entries[BM_REPORT_MOST];
};

/* `path` may be "" for what concerns no key. Lines and columns count from 1. */
void bm_report_error(struct bm_report *report, size_t line, size_t column, const char *path,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Append the lines in the order of the file, and how many were left out; frees the entries. */
void bm_report_finish(struct bm_report *report, struct bm_strbuf *out);

/* Append 'TEXT', cut, with control characters escaped; "(hidden)" when it looks secret. */
void bm_report_quote(struct bm_strbuf *out, const char *text);

/* Whether a text holds a password: `password=` or a URL with one. */
bool bm_report_is_secret(const char *text);

#endif
