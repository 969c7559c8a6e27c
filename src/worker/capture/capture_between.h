/*
 * capture_between - tables that somebody made, dropped or changed between two phases
 *
 * What is copied is planned in phase schema, what is captured is read in phase capture. A table
 * that came in between is captured, and a resend of its rows is requested (resend.h): no copy
 * brings them. A table that the destination lacks, or there lacks a column of the key, is not
 * captured yet; that is told, and `worker reconcile` takes it in once it is there
 * (new_tables.c).
 */
#ifndef WORKER_CAPTURE_CAPTURE_BETWEEN_H
#define WORKER_CAPTURE_CAPTURE_BETWEEN_H

#include "worker/capture/capture.h"

/* Leave out of the groups what cannot be captured for that reason. */
int bm_between_ignore(struct bm_capture *capture, struct bm_error *err);

/* After phase capture: request a resend of the tables that the copy does not know. */
int bm_between_request(struct bm_phase *phase, struct bm_error *err);

/* Whether the copy knew the table, by its name in quotes: 1, 0, or -1. */
int bm_between_is_planned(struct bm_phase *phase, const char *quoted, struct bm_error *err);

#endif
