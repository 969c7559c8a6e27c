/* Monotonic and wall time, and their texts. */
#include "bucardo_machine/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int64_t read_msec(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t bm_clock_msec(void)
{
	return (uint64_t)read_msec(CLOCK_BOOTTIME);
}

int64_t bm_clock_wall_msec(void)
{
	return read_msec(CLOCK_REALTIME);
}

const char *bm_clock_format(int64_t wall_msec, char *out)
{
	int64_t msec = (wall_msec % 1000 + 1000) % 1000; /* also before 1970 */
	time_t seconds = (time_t)((wall_msec - msec) / 1000);
	char date[BM_CLOCK_TEXT_SIZE];
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, BM_CLOCK_TEXT_SIZE, "%.19s.%03dZ", date, (int)msec);
	return out;
}

/* "3 min 20 s", and "3 min" when nothing is left over. */
static void put_two(
		char *out, uint64_t most, const char *unit, uint64_t rest, const char *smaller)
{
	int length = snprintf(out, BM_CLOCK_TEXT_SIZE, "%" PRIu64 " %s", most, unit);

	if (rest > 0) {
		snprintf(out + length, BM_CLOCK_TEXT_SIZE - (size_t)length, " %" PRIu64 " %s",
				rest, smaller);
	}
}

const char *bm_clock_format_span(uint64_t msec, char *out)
{
	uint64_t seconds = msec / 1000;

	if (msec > 0 && msec < 1000) {
		snprintf(out, BM_CLOCK_TEXT_SIZE, "under 1 s");
	} else if (seconds < 60) {
		snprintf(out, BM_CLOCK_TEXT_SIZE, "%" PRIu64 " s", seconds);
	} else if (seconds < 3600) {
		put_two(out, seconds / 60, "min", seconds % 60, "s");
	} else if (seconds < 86400) {
		put_two(out, seconds / 3600, "h", seconds / 60 % 60, "min");
	} else {
		put_two(out, seconds / 86400, "d", seconds / 3600 % 24, "h");
	}
	return out;
}
