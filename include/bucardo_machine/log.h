/*
 * log - one line an event, never in the way
 *
 * Every line has a time, a level, an area and a message, and named fields:
 *
 *     bm_log(BM_LOG_INFO, "supervise",
 *             BM_FIELDS(bm_str("unit", name), bm_int("pid", pid)), "unit is ready");
 *
 * Field names in use: unit, subject, sync, pid, uid, from, to, why, event, retry_ms,
 * rows, lag_ms, dropped, err. A new one is added to this list. Levels: error = a person must
 * act; warn = we are handling it; info = state changes and results; debug = the rest.
 *
 * The sink is a bounded ring before a descriptor that is never written to when
 * that could block: a reader that stalls costs lines, counted, never progress.
 * The owner of a loop calls bm_log_flush() when the descriptor is writable while
 * bm_log_pending() > 0 (event/log_pump does). Programs without a loop (CLI,
 * workers) use bm_log_open() with `blocking` and need no pump.
 *
 * Secrets: nothing is filtered here. A connection string or password is never
 * passed to this interface.
 *
 * Threads: one. State is static because a log line must be possible anywhere.
 */
#ifndef BUCARDO_MACHINE_LOG_H
#define BUCARDO_MACHINE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bm_log_level { BM_LOG_DEBUG, BM_LOG_INFO, BM_LOG_WARN, BM_LOG_ERROR };

enum bm_log_format { BM_LOG_AUTO, BM_LOG_TEXT, BM_LOG_JSON }; /* auto: text on a terminal */

enum bm_field_kind { BM_FIELD_END, BM_FIELD_STRING, BM_FIELD_INT, BM_FIELD_REAL };

struct bm_field {
	enum bm_field_kind kind;
	const char *name;
	const char *string; /* borrowed until bm_log() returns; NULL omits the field */
	int64_t integer;
	double real;
};

static inline struct bm_field bm_str(const char *name, const char *value)
{
	return (struct bm_field){BM_FIELD_STRING, name, value, 0, 0};
}

static inline struct bm_field bm_int(const char *name, int64_t value)
{
	return (struct bm_field){BM_FIELD_INT, name, NULL, value, 0};
}

static inline struct bm_field bm_real(const char *name, double value)
{
	return (struct bm_field){BM_FIELD_REAL, name, NULL, 0, value};
}

/* The field list of one line, terminated. Use NULL where there is none. */
#define BM_FIELDS(...)                                                                         \
	((const struct bm_field[]){__VA_ARGS__, {BM_FIELD_END, NULL, NULL, 0, 0}})

/* Bytes the ring holds; beyond it lines are dropped and counted. */
#define BM_LOG_RING_BYTES ((size_t)256 * 1024)

/*
 * Choose where lines go (default: stderr, text, blocking, level info). `fd` is
 * borrowed and stays open. With `blocking` false a write that could block is
 * put off until bm_log_flush().
 */
void bm_log_open(int fd, enum bm_log_format format, bool blocking);

/* Another format for the same descriptor. */
void bm_log_set_format(enum bm_log_format format);

/* Lines below `level` are not written. */
void bm_log_set_level(enum bm_log_level level);

/* Write one line. `fields` may be NULL. Never fails, never blocks (see above). */
void bm_log(enum bm_log_level level, const char *area, const struct bm_field *fields,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* One line that a child printed, passed on under its unit's name. */
void bm_log_child_line(const char *unit, const char *line, size_t length, bool partial);

/* Write what the ring holds as far as it goes without blocking. */
void bm_log_flush(void);

/* Bytes waiting in the ring, lines dropped since the start, the descriptor. */
size_t bm_log_pending(void);
uint64_t bm_log_dropped(void);
int bm_log_fd(void);

/* "debug", "info", "warn", "error"; static storage. */
const char *bm_log_level_name(enum bm_log_level level);

#endif
