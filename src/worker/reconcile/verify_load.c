#include "worker/reconcile/verify_load.h"

#include <jansson.h>
#include <time.h>

#include "bucardo_machine/clock.h"
#include "worker/session/ask.h"

/* A question that gets no answer for so long is late enough. */
#define ASK_LIMIT_MSEC 10000

/* One rest is no longer than this, whatever the throttle says. */
#define REST_MOST_MSEC 10000

/* How often it is asked while it rests. */
#define LOOK_MSEC 1000

/* A rate is measured over so long at least. */
#define RATE_MSEC 2000

static double now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

/* A look at a page of a catalog: it waits for a processor as an application does. */
static double ask(PGconn *source, struct bm_error *err)
{
	double began = now_msec();
	PGresult *row = bm_ask(source, "SELECT count(*) FROM pg_class WHERE ctid = '(0,1)'", 0,
			NULL, ASK_LIMIT_MSEC, err);
	double took = row != NULL ? now_msec() - began : -1;

	PQclear(row);
	return took;
}

int bm_verify_load_learn(struct bm_verify_load *load, PGconn *source, struct bm_error *err)
{
	double answers[BM_THROTTLE_ANSWERS];

	if (load->has_learned) {
		return 0;
	}
	for (int i = 0; i < BM_THROTTLE_ANSWERS; i++) {
		answers[i] = ask(source, err);
		if (answers[i] < 0) {
			return -1;
		}
	}
	bm_throttle_init(&load->throttle, answers, BM_THROTTLE_ANSWERS, bm_clock_msec(), 0);
	load->has_learned = true;
	return 0;
}

static void look(struct bm_verify_load *load, PGconn *source)
{
	struct bm_error err = BM_ERROR_INIT;
	double answer = ask(source, &err);

	load->asked_msec = bm_clock_msec();
	if (answer >= 0) {
		load->answer_msec = answer;
		bm_throttle_add(&load->throttle, answer, load->asked_msec, load->bytes);
	}
}

void bm_verify_load_look(struct bm_verify_load *load, PGconn *source)
{
	if (load->has_learned && bm_clock_msec() - load->asked_msec >= LOOK_MSEC) {
		look(load, source);
	}
}

uint64_t bm_verify_load_rest(
		struct bm_verify_load *load, PGconn *source, uint64_t took_msec, uint64_t bytes)
{
	uint64_t rest = took_msec * (100 - load->max_load) / load->max_load;

	if (took_msec == 0) {
		return 0;
	}
	load->bytes += bytes;
	look(load, source);
	if (load->throttle.limit > 0) {
		uint64_t slowed = bytes * 1000 / load->throttle.limit;
		rest = slowed > rest ? slowed : rest;
	}
	return rest < REST_MOST_MSEC ? rest : REST_MOST_MSEC;
}

static void measure(struct bm_verify_load *load)
{
	uint64_t now = bm_clock_msec(), span = now - load->since_msec;

	if (load->since_msec > 0 && span < RATE_MSEC) {
		return;
	}
	load->rate = load->since_msec > 0 ? (load->bytes - load->since_bytes) * 1000 / span : 0;
	load->since_msec = now;
	load->since_bytes = load->bytes;
}

void bm_verify_load_tell(struct bm_verify_load *load, json_t *evidence)
{
	const struct bm_throttle *throttle = &load->throttle;

	if (!load->has_learned) {
		return;
	}
	measure(load);
	json_object_set_new(evidence, "rate",
			json_pack("{s:I, s:o, s:I, s:I}", "bytes_per_second",
					(json_int_t)load->rate, "limit",
					throttle->limit > 0
							? json_integer((json_int_t)throttle
											  ->limit)
							: json_null(),
					"answer_ms", (json_int_t)load->answer_msec,
					"usual_answer_ms",
					(json_int_t)throttle->baseline_msec));
}
