/*
 * http_metrics_table - what there is to measure, a row a metric
 *
 * http_metrics.c walks over it, for the metrics and for docs/http.md. A new metric is a new
 * row.
 */
#ifndef CLIENT_HTTP_HTTP_METRICS_TABLE_H
#define CLIENT_HTTP_HTTP_METRICS_TABLE_H

#include <stddef.h>

#include "client/http/http_metrics.h"

enum http_metric_type { GAUGE, COUNTER, INFO, HISTOGRAM };

/* What has a sample each, and by which members of it the samples are told apart. */
enum http_metric_scope {
	MACHINE,
	UNIT,
	RECOVERY,
	RECEIVER,
	DATABASE,
	SYNC,
	MIGRATION,
	APART,
	COPYING,
	PAUSED,
	LARGEST,
	DIFFERENT,
	ATTEMPT,
	FREEZE,
	CUTOVER,
	CONDITION,
	FINDING,
	SCOPE_COUNT
};

/* One thing of a scope. */
struct http_item {
	const json_t *self, *parent; /* parent: the migration that it belongs to, or NULL */
};

struct http_metric {
	enum http_metric_type type;
	enum http_metric_scope scope;
	const char *name; /* without prefix and _total */
	const char *unit; /* how the name ends; NULL: none */
	const char *help;
	/* The number, when it is known; or a member of the thing, times `scale`. */
	bool (*value)(const struct http_scrape *scrape, const struct http_item *item,
			double *out);
	const char *member;
	double scale;
	/* A label that is always the same; NULL: none. Rows of one name stand together. */
	const char *label, *label_value;
	const char *states[5]; /* members that become labels: what it is in, the value is 1 */
	bool is_lasting;       /* still true when the daemon is silent */
};

extern const struct http_metric http_metrics_table[];
extern const size_t http_metrics_count;

/* The labels of a scope, NULL after the last: name, and member of the thing or of its
 * migration. */
#define HTTP_LABELS 3
struct http_label {
	const char *name, *member;
	bool is_of_parent;
};
extern const struct http_label http_labels[SCOPE_COUNT][HTTP_LABELS];

#endif
