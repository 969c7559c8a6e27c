/*
 * since - findings compared with those before: since when each is there, and what is news
 *
 * A finding is the same when rule, side and object are. One that goes is remembered for two
 * more looks before it is told as over, and one that comes back meanwhile is no news: what
 * comes and goes fills no log. Pure but for the notes.
 */
#ifndef WORKER_DOCTOR_SINCE_H
#define WORKER_DOCTOR_SINCE_H

#include <stdint.h>

struct json_t;

#define BM_DOCTOR_FADES 2

/*
 * Give each of `findings` its `since` (UTC, ISO 8601), `before` being the evidence of the last
 * look (NULL none). `*fading`: a new array of those that are gone and still remembered.
 * `*news`: a new array, of a finding each that came, and of
 * a text for each that is over.
 */
void bm_doctor_since(struct json_t *findings, const struct json_t *before, int64_t wall_msec,
		struct json_t **fading, struct json_t **news);

#endif
