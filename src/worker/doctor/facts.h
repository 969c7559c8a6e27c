/*
 * facts - what the rules are about: rows of the servers, of the host, and of what the machine
 * knows already
 *
 * All of them as one JSON object: a member for each place ("source", "destination", "machine"),
 * in it a member for each fact with its rows, an array of objects. A fact that is not there
 * could not be asked; `unknown` says why. No row is good news.
 */
#ifndef WORKER_DOCTOR_FACTS_H
#define WORKER_DOCTOR_FACTS_H

#include <stddef.h>

#include "worker/session/sides.h"

struct json_t;

enum bm_doctor_place {
	BM_DOCTOR_LIVE,	    /* the side that applications write to */
	BM_DOCTOR_FOLLOWER, /* the one that is kept equal to it */
	BM_DOCTOR_BOTH,
	BM_DOCTOR_CONTROL, /* asked of the control database, told as the machine's */
	BM_DOCTOR_MACHINE  /* the host, and what the request says */
};

/* Rows come from a statement, or from a function, which gets them when both are there. */
struct bm_doctor_fact {
	const char *name;
	enum bm_doctor_place place;
	const char *sql;
	/* Put rows into `rows`, or more into those; -1 with `err`: not known. */
	int (*gather)(struct bm_phase *phase, enum bm_side side, struct json_t *rows,
			struct bm_error *err);
};

extern const struct bm_doctor_fact bm_doctor_facts[];
extern const size_t bm_doctor_fact_count;

/* The fact called so; NULL: there is none. */
const struct bm_doctor_fact *bm_doctor_fact(const char *name);

/* The member of a place: "source", "destination", "machine". Static. */
const char *bm_doctor_place_name(enum bm_side side);

/* Ask everything. A new object: the places, and `unknown`: an array of side, fact, why. */
struct json_t *bm_doctor_gather(struct bm_phase *phase);

/* ---- functions of the table (facts_server.c, facts_host.c) ---- */
int bm_fact_clock(struct bm_phase *phase, enum bm_side side, struct json_t *rows,
		struct bm_error *err);
int bm_fact_certificate(struct bm_phase *phase, enum bm_side side, struct json_t *rows,
		struct bm_error *err);
int bm_fact_http_certificate(struct bm_phase *phase, enum bm_side side, struct json_t *rows,
		struct bm_error *err);
int bm_fact_volume(struct bm_phase *phase, enum bm_side side, struct json_t *rows,
		struct bm_error *err);
int bm_fact_memory(struct bm_phase *phase, enum bm_side side, struct json_t *rows,
		struct bm_error *err);
int bm_fact_known(struct bm_phase *phase, const char *name, struct json_t *rows);

#endif
