/* Ratios, from the whole to the single one; then lanes. */
#include "worker/rate/estimate.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"

/* What was measured counts against so much of what was believed before. */
#define BELIEF_MSEC 500

/* What takes longer than it should is believed to take a quarter of that more. */
#define OVERDUE 0.25

/* How much longer than the table; of all, and of each kind. */
struct ratios {
	double of_kind[BM_KIND_COUNT];
};

/* What is left of one item, and where it stands. */
struct rest {
	const struct bm_estimate_item *item;
	double msec;
};

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* `believed` until there is more than that. */
static double ratio_of(struct bm_effort effort, double believed, double belief_msec)
{
	return (belief_msec * believed + effort.msec) / (belief_msec + effort.nominal_msec);
}

static void add_effort(struct bm_effort *sum, double msec, double nominal_msec)
{
	sum->msec += msec;
	sum->nominal_msec += nominal_msec;
}

/* ---- how fast ---- */

/* What an item under way shows of its kind; one that tells nothing shows it when it is late. */
static void add_running(
		const struct bm_estimate_item *item, double believed, struct bm_effort *sum)
{
	double late = item->spent_msec * (1 + OVERDUE);

	if (item->part > 0) {
		double doubt = bm_kind_doubt(item->kind);
		add_effort(sum, item->reported_msec * (1 - doubt),
				item->part * item->nominal_msec * (1 - doubt));
	}
	if (item->running && late > item->nominal_msec * believed && believed > 0 &&
			item->part <= 0) {
		add_effort(sum, late, item->nominal_msec);
	}
}

static struct bm_effort sum_all(
		const struct bm_estimate *estimate, const struct ratios *believed, int kind)
{
	struct bm_effort sum = {0};

	for (int k = 0; k < BM_KIND_COUNT; k++) {
		if (kind < 0 || k == kind) {
			add_effort(&sum, estimate->measured[k].msec,
					estimate->measured[k].nominal_msec);
		}
	}
	for (size_t i = 0; i < estimate->count; i++) {
		const struct bm_estimate_item *item = &estimate->items[i];
		if (item->running && (kind < 0 || (int)item->kind == kind)) {
			add_running(item, believed != NULL ? believed->of_kind[item->kind] : 0,
					&sum);
		}
	}
	return sum;
}

/* False: too little was seen. */
static bool take_ratios(const struct bm_estimate *estimate, struct ratios *out)
{
	struct bm_effort all = sum_all(estimate, NULL, -1);

	if (all.msec < BM_ESTIMATE_LEAST_MSEC || all.nominal_msec <= 0) {
		return false;
	}
	/* Twice: what is late is seen only where one knows what it should take. */
	for (int turn = 0; turn < 2; turn++) {
		struct ratios believed = *out;
		for (int kind = 0; kind < BM_KIND_COUNT; kind++) {
			struct bm_effort own = sum_all(
					estimate, turn > 0 ? &believed : NULL, kind);
			out->of_kind[kind] = ratio_of(
					own, all.msec / all.nominal_msec, BELIEF_MSEC);
		}
	}
	return true;
}

static double rest_of(const struct bm_estimate_item *item, const struct ratios *ratios)
{
	double ratio = ratios->of_kind[item->kind];

	if (item->running && item->part > 0) {
		const struct bm_effort own = {
				item->reported_msec, item->part * item->nominal_msec};
		ratio = ratio_of(own, ratio,
				BELIEF_MSEC + bm_kind_doubt(item->kind) * item->nominal_msec);
	}
	double whole = ratio * item->nominal_msec;
	double silent = item->running
			? item->spent_msec - (item->part > 0 ? item->reported_msec : 0)
			: 0;
	return larger(whole - (item->running ? item->spent_msec : 0), silent * OVERDUE);
}

/* ---- how it runs ---- */

static int by_turn(const void *a, const void *b)
{
	const struct rest *left = a, *right = b;

	if (left->item->stage != right->item->stage) {
		return left->item->stage < right->item->stage ? -1 : 1;
	}
	if (left->item->running != right->item->running) {
		return left->item->running ? -1 : 1;
	}
	return left->msec > right->msec ? -1 : left->msec < right->msec;
}

static double *emptiest(double *lanes, unsigned count)
{
	double *found = &lanes[0];

	for (unsigned i = 1; i < count; i++) {
		found = lanes[i] < *found ? &lanes[i] : found;
	}
	return found;
}

struct layout {
	const struct bm_estimate *estimate;
	double *lanes, *tables;
};

/* The rests of one stage, from `rests` on; the time it takes goes to `*msec`. */
static size_t lay_out(
		struct layout *layout, const struct rest *rests, size_t count, double *msec)
{
	unsigned jobs = layout->estimate->jobs > 0 ? layout->estimate->jobs : 1;
	unsigned stage = rests[0].item->stage;
	double longest = 0, apart = 0;
	size_t i = 0;

	memset(layout->lanes, 0, jobs * sizeof(*layout->lanes));
	memset(layout->tables, 0, (layout->estimate->tables + 1) * sizeof(*layout->tables));
	for (; i < count && rests[i].item->stage == stage; i++) {
		const struct bm_estimate_item *item = rests[i].item;
		if (item->apart) {
			apart += rests[i].msec;
			continue;
		}
		*emptiest(layout->lanes, jobs) += rests[i].msec;
		for (size_t h = 0; h < 2; h++) {
			if (item->holds[h] >= 0 &&
					(h == 0 || item->holds[1] != item->holds[0])) {
				double *table = &layout->tables[item->holds[h]];
				*table += rests[i].msec;
				longest = larger(longest, *table);
			}
		}
	}
	for (unsigned lane = 0; lane < jobs; lane++) {
		longest = larger(longest, layout->lanes[lane]);
	}
	*msec = longest + apart;
	return i;
}

double bm_estimate_left(const struct bm_estimate *estimate)
{
	struct ratios ratios = {{0}};
	double left = 0;

	if (estimate->count == 0) {
		return 0;
	}
	if (!take_ratios(estimate, &ratios)) {
		return -1;
	}
	struct rest *rests = bm_alloc(estimate->count * sizeof(*rests));
	struct layout layout = {.estimate = estimate,
			.lanes = bm_alloc((estimate->jobs + 1) * sizeof(double)),
			.tables = bm_alloc((estimate->tables + 1) * sizeof(double))};
	for (size_t i = 0; i < estimate->count; i++) {
		rests[i].item = &estimate->items[i];
		rests[i].msec = rest_of(rests[i].item, &ratios);
	}
	qsort(rests, estimate->count, sizeof(*rests), by_turn);
	for (size_t i = 0; i < estimate->count;) {
		double msec;
		i += lay_out(&layout, rests + i, estimate->count - i, &msec);
		left += msec;
	}
	free(rests);
	free(layout.lanes);
	free(layout.tables);
	return left;
}
