/*
 * http_metrics - the status as metrics, made from one table of them
 *
 * Prometheus' text format 0.0.4, or OpenMetrics 1.0 where the scraper asks for it. All names
 * begin with bucardo_machine_; units are base units; a number that is not known has no
 * sample. docs/http.md lists them by the same table (`worker http metrics`).
 *
 * Threads: one (it remembers what was known of each sync's lag).
 */
#ifndef CLIENT_HTTP_HTTP_METRICS_H
#define CLIENT_HTTP_HTTP_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/strbuf.h"

struct http_scrape {
	const json_t *status;	/* the last one; NULL: there was none */
	const json_t *attempts; /* of cut-overs (http_threads.h); NULL: not known */
	bool is_up;		/* the daemon answered just now: it is of now */
	uint64_t taken_msec;	/* when `status` was asked for, bm_clock_msec() */
	int64_t taken_wall_msec;
	uint64_t now_msec;
	bool open_metrics;
};

void http_metrics_write(const struct http_scrape *scrape, struct bm_strbuf *out);

/* The table for docs/http.md: a row a metric. */
void http_metrics_reference(struct bm_strbuf *out);

#endif
