/* trend - see trend.h */
#include "daemon/health/trend.h"

/* Runs of Bucardo take the backlog down in steps: the memory spans several of them. */
#define FAST_SEC 8.0
#define SLOW_SEC 45.0

#define GAP_MSEC 60000
#define KNOWN_MSEC 10000

static double toward(double from, double to, double passed_sec, double memory_sec)
{
	return from + (to - from) * passed_sec / (memory_sec + passed_sec);
}

void trend_take(struct trend *trend, double value, uint64_t now_msec)
{
	if (trend->begun_msec == 0 || now_msec - trend->msec > GAP_MSEC) {
		*trend = (struct trend){.begun_msec = now_msec,
				.msec = now_msec,
				.fast = value,
				.slow = value};
		return;
	}
	double passed = (double)(now_msec - trend->msec) / 1000;
	double time = (double)(now_msec - trend->begun_msec) / 1000;
	trend->fast = toward(trend->fast, value, passed, FAST_SEC);
	trend->slow = toward(trend->slow, value, passed, SLOW_SEC);
	trend->fast_time = toward(trend->fast_time, time, passed, FAST_SEC);
	trend->slow_time = toward(trend->slow_time, time, passed, SLOW_SEC);
	trend->msec = now_msec;
}

bool trend_is_known(const struct trend *trend)
{
	return trend->begun_msec != 0 && trend->msec - trend->begun_msec >= KNOWN_MSEC;
}

double trend_slope(const struct trend *trend)
{
	double apart = trend->fast_time - trend->slow_time;

	return apart > 0 ? (trend->fast - trend->slow) / apart : 0;
}
