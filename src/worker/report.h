/*
 * report - the lines that `worker phase` prints
 *
 * One JSON object a line, at once. The reader is our parent: when nobody reads any
 * more the process ends. Threads: any; a line is written whole.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include <stdint.h>

#include "bucardo_machine/error.h"

struct json_t;

enum bm_grade { BM_GRADE_NOTE, BM_GRADE_DEGRADES, BM_GRADE_STOPS };
const char *bm_grade_name(enum bm_grade grade); /* "degrades"; static */

/* `total` 0: unknown. A smaller `done` than before is told as the same again. */
void bm_report_progress(uint64_t done, uint64_t total, const char *unit, const char *text);

void bm_report_finding(
		enum bm_grade grade, const char *object, const char *why, const char *mend);
void bm_report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes over `evidence`. */
void bm_report_done(struct json_t *evidence);

/* `mend` may be "". The class comes from the error. */
void bm_report_failed(const struct bm_error *err, const char *mend);

/* "transient", "operator" or "internal": who has to do something about it. */
const char *bm_report_class(const struct bm_error *err);

#endif
