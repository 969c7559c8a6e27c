/*
 * report - the lines that `worker phase` and `worker reconcile` print
 *
 * One JSON object a line, at once. The reader is our parent: when nobody reads any
 * more the process ends. Threads: any; a line is written whole.
 */
#ifndef BASE_PROTOCOL_REPORT_H
#define BASE_PROTOCOL_REPORT_H

#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/phase_line.h"

struct json_t;

/* `total` 0: unknown. A smaller `done` than before is told as the same again. */
void bm_report_progress(uint64_t done, uint64_t total, const char *unit, const char *text);

/* The same with more members, which it takes over. */
void bm_report_progress_with(uint64_t done, uint64_t total, const char *unit, const char *text,
		struct json_t *more);

void bm_report_finding(enum bm_severity severity, const char *object, const char *why,
		const char *hint);
/* The same where `hint` is a statement that `plan --fix` may run. */
void bm_report_safe_finding(enum bm_severity severity, const char *object, const char *why,
		const char *hint);
/* What would be done (worker/preflight/plan_report.h); takes it over. */
void bm_report_plan(struct json_t *plan);
void bm_report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Nothing new; the parent gives up a worker from which it hears nothing. */
void bm_report_alive(void);

/* Take over `evidence`: of a phase at its end, of `worker reconcile` as it is now. */
void bm_report_done(struct json_t *evidence);
void bm_report_reconciled(struct json_t *evidence);

/* `hint` may be "". Takes over `evidence`, what is known as far as it came; an empty object or
 * NULL: nothing. */
void bm_report_failed(enum bm_failure failure, const struct bm_error *err, const char *hint,
		struct json_t *evidence);

#endif
