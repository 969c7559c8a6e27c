/*
 * live - the side applications write to
 *
 * Until the destination's fence is lifted it is the source, from then on the destination.
 * pass->live is asked anew in each pass. Whoever writes by it holds it meanwhile:
 * lift_fence() and raise_fence() wait for that, so that no old row goes over a live one
 * between a decision and its write.
 */
#ifndef WORKER_LIVE_LIVE_H
#define WORKER_LIVE_LIVE_H

#include <stdint.h>

#include "worker/live/pass.h"

/* Make what remembers the live side. */
int bm_live_prepare(struct bm_pass *pass, struct bm_error *err);

/* New tables get behind the fence too, as long as there is one and it is not lifted. */
int bm_live_keep_fence(struct bm_pass *pass, struct bm_error *err);

/* After a cut-over the source refuses foreign writes, until it is the live side again; tables
 * that are made there meanwhile get behind that fence as well. */
int bm_live_is_source_fenced(struct bm_pass *pass, bool *is_fenced, struct bm_error *err);
int bm_live_keep_source_fence(struct bm_pass *pass, struct bm_error *err);

/* Set the live side and the epoch of `pass`; a fence that is seen for the first time is brought
 * up to date. When the sides have changed places what is known
 * of the tables is forgotten. */
int bm_live_find(struct bm_pass *pass, struct bm_error *err);

/* Sets member "live" of the evidence: which side, and what of it is not applied back. */
int bm_live_report(struct bm_pass *pass, struct bm_error *err);

/* 1: the live side is what `pass` says, until bm_live_release(); 0: it is changing or has
 * changed, so nothing may be written before the next pass; -1 with `err`. */
int bm_live_hold(struct bm_pass *pass, struct bm_error *err);
int bm_live_release(struct bm_pass *pass, struct bm_error *err);

/* The destination knows whose it is: lift_fence() and raise_fence() ask for each migration that
 * is registered. Nothing when it has no fence. */
int bm_live_register(struct bm_phase *phase, struct bm_error *err);

/* Number of the last question of lift_fence() or raise_fence(), 0 when all are answered; which
 * tables of the source have changes that the destination does not have (turn_obstacle.sql), and
 * which sequences could not be set; and the answer that those were set (hand_over.sql), which
 * comes last. */
int bm_live_asked(struct bm_pass *pass, int64_t *number, struct bm_error *err);
int bm_live_report_waiting(struct bm_pass *pass, int64_t number, struct bm_error *err);
int bm_live_answer(struct bm_pass *pass, int64_t number, struct bm_error *err);

/* Tables with changes of a side that the other one does not have yet, as an object; NULL with
 * `err`. One that is not captured has none. */
struct json_t *bm_live_waiting(struct bm_pass *pass, enum bm_side side, struct bm_error *err);

#endif
