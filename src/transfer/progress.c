/* The counters, as one view. */
#include "transfer/progress.h"

#include <string.h>

#include "bucardo_machine/clock.h"

/* What comes before there is a plan (the schema) and after it (the last commit). */
#define FIRST_PERCENT 1.0
#define LAST_PERCENT 99.0

double bm_progress_percent(double highest, uint64_t done, uint64_t total, bool finished)
{
	if (finished) {
		return 100;
	}
	double part = total == 0 ? 0 : (double)done / (double)total;
	double percent = total == 0 ? 0
				    : FIRST_PERCENT +
					(LAST_PERCENT - FIRST_PERCENT) * (part > 1 ? 1 : part);
	return percent > highest ? percent : highest;
}

/* While copying, bytes under way count as well; the estimate of all chunks is the limit. */
static uint64_t units_now(const struct bm_progress *progress)
{
	uint64_t done = atomic_load(&progress->units_done);
	uint64_t moving = progress->bytes_before + atomic_load(&progress->bytes_moved);

	if (strcmp(progress->phase, "copy") == 0 && moving > done) {
		return moving < progress->bytes_total ? moving : progress->bytes_total;
	}
	return done;
}

struct bm_transfer_progress bm_progress_view(struct bm_progress *progress, bool finished)
{
	progress->highest = bm_progress_percent(progress->highest, units_now(progress),
			progress->units_total, finished);
	return (struct bm_transfer_progress){
			.phase = progress->phase,
			.percent = progress->highest,
			.bytes = progress->bytes_before + atomic_load(&progress->bytes_moved),
			.bytes_total = progress->bytes_total,
			.rows = atomic_load(&progress->rows),
			.done = atomic_load(&progress->done),
			.total = progress->total,
			.elapsed_msec = bm_clock_msec() - progress->begun_msec,
			.reused_chunks = progress->reused_chunks,
	};
}
