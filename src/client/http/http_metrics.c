/* The walk over the table of metrics: heads, labels, samples. */
#include "client/http/http_metrics.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "client/http/http_lag.h"
#include "client/http/http_metrics_table.h"
#include "client/http/http_status.h"

#define PREFIX "bucardo_machine_"

/* ---- one sample ---- */

static void write_escaped(const char *text, struct bm_strbuf *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			bm_strbuf_puts(out, "\\n");
		} else if (*text == '"' || *text == '\\') {
			bm_strbuf_putc(out, '\\');
			bm_strbuf_putc(out, *text);
		} else {
			bm_strbuf_putc(out, *text);
		}
	}
}

/* null, as a phase that nobody has read yet, is "unknown". */
static void write_label(
		const char *name, const json_t *value, bool *is_first, struct bm_strbuf *out)
{
	bm_strbuf_printf(out, "%s%s=\"", *is_first ? "{" : ",", name);
	write_escaped(json_is_string(value) ? json_string_value(value) : "unknown", out);
	bm_strbuf_putc(out, '"');
	*is_first = false;
}

/* `le`: of a bucket; NULL none. */
static void write_labels(const struct http_metric *metric, const struct http_item *item,
		const char *le, struct bm_strbuf *out)
{
	bool is_first = true;

	for (size_t i = 0; i < HTTP_LABELS; i++) {
		const char *name = http_labels[metric->scope][i].name;
		const json_t *of = http_labels[metric->scope][i].is_of_parent ? item->parent
									      : item->self;
		if (name != NULL) {
			write_label(name,
					json_object_get(of,
							http_labels[metric->scope][i].member),
					&is_first, out);
		}
	}
	if (metric->label != NULL) {
		bm_strbuf_printf(out, "%s%s=\"%s\"", is_first ? "{" : ",", metric->label,
				metric->label_value);
		is_first = false;
	}
	for (size_t i = 0; metric->states[i] != NULL; i++) {
		write_label(metric->states[i], json_object_get(item->self, metric->states[i]),
				&is_first, out);
	}
	if (le != NULL) {
		bm_strbuf_printf(out, "%sle=\"%s\"", is_first ? "{" : ",", le);
		is_first = false;
	}
	if (!is_first) {
		bm_strbuf_putc(out, '}');
	}
}

static bool value_of(const struct http_metric *metric, const struct http_scrape *scrape,
		const struct http_item *item, double *out)
{
	if (metric->value != NULL) {
		return metric->value(scrape, item, out);
	}
	bool known = http_status_number(item->self, metric->member, out);
	*out *= metric->scale;
	return known;
}

static const char *ending(const struct http_metric *metric)
{
	return metric->type == COUNTER ? "_total" : metric->type == INFO ? "_info" : "";
}

/* ---- all samples of a metric ---- */

struct walk {
	const struct http_metric *metric;
	const struct http_scrape *scrape;
	struct bm_strbuf *out;
	bool has_head;
};

/* A family's name has no ending in OpenMetrics; what is an info there is a gauge here. */
static void write_head(const struct walk *walk)
{
	const struct http_metric *metric = walk->metric;
	bool open = walk->scrape->open_metrics;
	const char *end = open ? "" : ending(metric);

	bm_strbuf_printf(walk->out, "# HELP " PREFIX "%s%s %s\n", metric->name, end,
			metric->help);
	bm_strbuf_printf(walk->out, "# TYPE " PREFIX "%s%s %s\n", metric->name, end,
			metric->type == COUNTER			       ? "counter"
					: metric->type == HISTOGRAM    ? "histogram"
					: metric->type == INFO && open ? "info"
								       : "gauge");
	if (open && metric->unit != NULL) {
		bm_strbuf_printf(walk->out, "# UNIT " PREFIX "%s %s\n", metric->name,
				metric->unit);
	}
}

static void write_part(const struct walk *walk, const struct http_item *item, const char *part,
		const char *le, double value)
{
	bm_strbuf_printf(walk->out, PREFIX "%s%s", walk->metric->name, part);
	write_labels(walk->metric, item, le, walk->out);
	bm_strbuf_printf(walk->out, " %.15g\n", value);
}

/* {"buckets": [[le, count], ...], "sum", "count"} */
static void write_histogram(const struct walk *walk, const struct http_item *item)
{
	double sum = 0, count = 0;
	size_t index;
	const json_t *bucket;

	http_status_number(item->self, "sum", &sum);
	http_status_number(item->self, "count", &count);
	json_array_foreach(json_object_get(item->self, "buckets"), index, bucket)
	{
		char le[32];
		snprintf(le, sizeof(le), "%#.3g", json_number_value(json_array_get(bucket, 0)));
		write_part(walk, item, "_bucket", le,
				json_number_value(json_array_get(bucket, 1)));
	}
	write_part(walk, item, "_bucket", "+Inf", count);
	write_part(walk, item, "_sum", NULL, sum);
	write_part(walk, item, "_count", NULL, count);
}

static void write_sample(struct walk *walk, const json_t *self, const json_t *parent)
{
	const struct http_item item = {.self = self, .parent = parent};
	double value;

	if (!value_of(walk->metric, walk->scrape, &item, &value)) {
		return;
	}
	if (!walk->has_head) {
		write_head(walk);
		walk->has_head = true;
	}
	if (walk->metric->type == HISTOGRAM) {
		write_histogram(walk, &item);
	} else {
		write_part(walk, &item, ending(walk->metric), NULL, value);
	}
}

static void write_list(struct walk *walk, const json_t *list, const json_t *parent)
{
	size_t index;
	const json_t *self;

	json_array_foreach(list, index, self)
	{
		write_sample(walk, self, parent);
	}
}

/* What a migration has of this scope. */
static const json_t *inner_list(enum http_metric_scope scope, const json_t *migration)
{
	if (scope == APART) {
		return json_object_get(migration, "not_in_step");
	}
	if (scope == DIFFERENT) {
		return json_object_get(json_object_get(migration, "verify"), "differences");
	}
	if (scope == LARGEST) {
		return json_object_get(json_object_get(migration, "reconcile"), "largest");
	}
	if (scope == PAUSED) {
		return json_object_get(json_object_get(migration, "reconcile"), "paused");
	}
	if (scope == CONDITION) {
		return json_object_get(json_object_get(json_object_get(migration, "cutover"),
						       "result"),
				"conditions");
	}
	return http_status_is(migration, "phase", "copy")
			? json_object_get(json_object_get(migration, "progress"), "in_flight")
			: NULL;
}

static void write_inner(struct walk *walk, const json_t *migration)
{
	const json_t *cutover = json_object_get(migration, "cutover");

	if (walk->metric->scope == FINDING) {
		json_t *counted = http_status_counted(json_object_get(migration, "doctor"));
		write_list(walk, counted, migration);
		json_decref(counted);
	} else if (walk->metric->scope != CUTOVER) {
		write_list(walk, inner_list(walk->metric->scope, migration), migration);
	} else if (json_is_object(cutover)) {
		write_sample(walk, cutover, migration);
	}
}

static void write_metric(struct walk *walk)
{
	static const char *const lists[SCOPE_COUNT] = {[UNIT] = "units",
			[RECOVERY] = "recoveries",
			[RECEIVER] = "receivers",
			[DATABASE] = "databases",
			[SYNC] = "syncs",
			[MIGRATION] = "migrations"};
	const json_t *status = walk->scrape->status;
	const char *list = lists[walk->metric->scope];
	size_t index;
	const json_t *migration;

	if (walk->metric->scope == MACHINE) {
		write_sample(walk, status, NULL);
	} else if (walk->metric->scope == ATTEMPT || walk->metric->scope == FREEZE) {
		write_list(walk,
				json_object_get(walk->scrape->attempts,
						walk->metric->scope == ATTEMPT ? "attempts"
									       : "freezes"),
				NULL);
	} else if (list != NULL) {
		write_list(walk, json_object_get(status, list), NULL);
	} else {
		json_array_foreach(json_object_get(status, "migrations"), index, migration)
		{
			write_inner(walk, migration);
		}
	}
}

static void keep_lags(const struct http_scrape *scrape)
{
	size_t index;
	const json_t *sync;
	double lag;

	json_array_foreach(json_object_get(scrape->status, "syncs"), index, sync)
	{
		if (http_status_number(sync, "lag_msec", &lag)) {
			http_lag_keep(json_string_value(json_object_get(sync, "name")),
					scrape->is_up, scrape->taken_msec, (uint64_t)lag);
		} else {
			http_lag_lost(json_string_value(json_object_get(sync, "name")));
		}
	}
}

/* With the row before it. */
static bool is_of_one_family(size_t i)
{
	return i > 0 && strcmp(http_metrics_table[i].name, http_metrics_table[i - 1].name) == 0;
}

void http_metrics_write(const struct http_scrape *scrape, struct bm_strbuf *out)
{
	bool has_head = false;

	keep_lags(scrape);
	for (size_t i = 0; i < http_metrics_count; i++) {
		struct walk walk = {.metric = &http_metrics_table[i],
				.scrape = scrape,
				.out = out,
				.has_head = has_head && is_of_one_family(i)};
		if (scrape->is_up || http_metrics_table[i].is_lasting) {
			write_metric(&walk);
		}
		has_head = walk.has_head;
	}
	if (scrape->open_metrics) {
		bm_strbuf_puts(out, "# EOF\n");
	}
}

void http_metrics_reference(struct bm_strbuf *out)
{
	bm_strbuf_puts(out, "| metric | type | labels | what |\n|---|---|---|---|\n");
	for (size_t i = 0; i < http_metrics_count; i++) {
		const struct http_metric *metric = &http_metrics_table[i];
		if (is_of_one_family(i)) {
			continue;
		}
		bm_strbuf_printf(out, "| `%s%s` | %s |", metric->name, ending(metric),
				metric->type == COUNTER			    ? "counter"
						: metric->type == HISTOGRAM ? "histogram"
									    : "gauge");
		for (size_t k = 0; k < HTTP_LABELS; k++) {
			const char *name = http_labels[metric->scope][k].name;
			bm_strbuf_printf(out, name != NULL ? " `%s`" : "%s",
					name != NULL ? name : "");
		}
		for (size_t k = 0; metric->states[k] != NULL; k++) {
			bm_strbuf_printf(out, " `%s`", metric->states[k]);
		}
		if (metric->label != NULL) {
			bm_strbuf_printf(out, " `%s`", metric->label);
		}
		bm_strbuf_printf(out, " | %s |\n", metric->help);
	}
}
