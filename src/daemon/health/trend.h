/*
 * trend - the smoothed slope of a number that is looked at now and then; pure
 *
 * Two averages with different memories lie apart by the slope times the difference
 * of their memories. The same pair is kept of the time itself, so that the quotient is
 * exact for a straight line whatever the gaps between the looks, and from early on.
 */
#ifndef DAEMON_HEALTH_TREND_H
#define DAEMON_HEALTH_TREND_H

#include <stdbool.h>
#include <stdint.h>

struct trend { /* zeroed: nothing was seen */
	uint64_t begun_msec, msec;
	double fast, slow, fast_time, slow_time;
};

/* Take in a value; a long gap begins anew. */
void trend_take(struct trend *trend, double value, uint64_t now_msec);

/* Seen for long enough to be worth telling. */
bool trend_is_known(const struct trend *trend);

/* How much the value grows a second; below 0: it shrinks. */
double trend_slope(const struct trend *trend);

#endif
