/* The counters, as one view. */
#include "worker/transfer/progress.h"

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

/* How far the phase is; the units of the copy come first in the sum of all. */
static void fill_work(
		struct bm_progress *progress, uint64_t units, struct bm_transfer_progress *view)
{
	bool indexing = strcmp(progress->phase, "index") == 0;
	uint64_t before = indexing ? progress->bytes_total : 0;
	uint64_t work = units > before ? units - before : 0;

	if (progress->work_phase != progress->phase) {
		progress->work_phase = progress->phase;
		progress->work_highest = 0;
	}
	view->work_total = indexing ? progress->units_total - progress->bytes_total
				    : progress->bytes_total;
	work = work < view->work_total ? work : view->work_total;
	progress->work_highest = work > progress->work_highest ? work : progress->work_highest;
	view->work = progress->work_highest;
}

struct bm_transfer_progress bm_progress_view(struct bm_progress *progress, bool finished)
{
	struct bm_flown flown = bm_activity_sum(&progress->activity);
	uint64_t units = atomic_load(&progress->units_done) + flown.weight;

	progress->highest = bm_progress_percent(
			progress->highest, units, progress->units_total, finished);
	struct bm_transfer_progress view = {
			.phase = progress->phase,
			.percent = progress->highest,
			.bytes = progress->bytes_before + atomic_load(&progress->bytes_moved) +
					flown.bytes,
			.bytes_total = progress->bytes_total,
			.rows = atomic_load(&progress->rows),
			.done = atomic_load(&progress->done),
			.total = progress->total,
			.elapsed_msec = bm_clock_msec() - progress->begun_msec,
			.reused_chunks = progress->reused_chunks,
			.remark = "",
			.left_msec = finished ? 0 : -1,
	};
	fill_work(progress, units, &view);
	view.part_count = bm_activity_view(&progress->activity, view.parts, BM_TRANSFER_PARTS);
	return view;
}
