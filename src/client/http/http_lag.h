/*
 * http_lag - since when a sync is behind, remembered
 *
 * The daemon says how far a sync lags, or that nobody knows. Kept is the moment up to which
 * all is applied: as long as nothing new is known, the lag grows with the clock. A zero that
 * was true once is not told for hours.
 *
 * Threads: one.
 */
#ifndef CLIENT_HTTP_HTTP_LAG_H
#define CLIENT_HTTP_HTTP_LAG_H

#include <stdbool.h>
#include <stdint.h>

/* At `taken_msec` it lagged by that much. `is_now`: that is what is told until more is asked.
 */
void http_lag_keep(const char *sync, bool is_now, uint64_t taken_msec, uint64_t lag_msec);

/* Nobody knows now. */
void http_lag_lost(const char *sync);

/* In seconds; false: it was never known. */
bool http_lag(const char *sync, uint64_t now_msec, double *out);

#endif
