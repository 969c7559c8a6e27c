/*
 * Phases schema, copy and index: transfer/ does the work, and keeps its own ledger on
 * the destination; here its words become our lines.
 *
 * On the destination everything is written in replica role, as Bucardo writes: no
 * trigger fires, and with direction both nothing of the copy is captured as a change
 * to be applied back.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/transfer.h"
#include "worker/capture/capture_wake.h"
#include "worker/phases/phase.h"
#include "base/protocol/report.h"

/* The earlier parts only look whether something is missing: that is nobody's progress. */
static void on_progress(void *ctx, const struct bm_transfer_progress *progress)
{
	const struct bm_phase *phase = ctx;
	bool copying = strcmp(progress->phase, "copy") == 0;

	if (strcmp(progress->phase, phase->request.phase) != 0) {
		return;
	}
	json_t *more = json_pack("{s:i, s:i, s:o}", "pieces_done", (int)progress->done,
			"pieces_total", (int)progress->total, "in_flight",
			bm_transfer_parts(progress));
	if (copying) {
		json_object_set_new(more, "rows", json_integer((json_int_t)progress->rows));
	}
	if (progress->left_msec >= 0) {
		json_object_set_new(more, "left_ms", json_integer(progress->left_msec));
	}
	char text[300];
	snprintf(text, sizeof(text), "%s%s%s",
			copying ? "copying rows" : "building indexes and constraints",
			progress->remark[0] != '\0' ? ", " : "", progress->remark);
	bm_report_progress_with(progress->work, progress->work_total, "bytes", text, more);
}

static void on_note(void *ctx, const char *text)
{
	(void)ctx;
	bm_report_note("%s", text);
}

static void on_find(void *ctx, const char *object, const char *why, const char *hint)
{
	(void)ctx;
	bm_report_finding(BM_SEVERITY_DEGRADES, object, why, hint);
}

static int run_part(struct bm_phase *phase, struct bm_transfer *transfer, struct bm_error *err)
{
	static const struct {
		const char *name;
		int (*run)(struct bm_transfer *transfer, struct bm_error *err);
	} parts[] = {
			{"schema", bm_transfer_schema},
			{"copy", bm_transfer_copy},
			{"index", bm_transfer_index},
	};
	int rc = 0;

	/* The earlier ones find that nothing is missing, and read what the next one needs. */
	for (size_t i = 0; rc == 0 && i < BM_COUNT_OF(parts); i++) {
		rc = parts[i].run(transfer, err);
		if (strcmp(parts[i].name, phase->request.phase) == 0) {
			break;
		}
	}
	return rc;
}

/* While nothing was made machine.yaml may still choose other tables. */
static void offer_to_leave_out(struct bm_phase *phase, const struct bm_transfer *transfer,
		const struct bm_error *err)
{
	const char *pattern = bm_transfer_exclude(transfer);

	if (pattern[0] != '\0' && bm_transfer_outlook(transfer, err) == BM_OUTLOOK_FAILS_ANEW) {
		json_t *word = json_string(pattern);
		char *quoted = json_dumps(word, JSON_ENCODE_ANY);
		snprintf(phase->hint, sizeof(phase->hint),
				"fix it on the source, or leave it out in machine.yaml: "
				"`tables: {exclude: [%s]}`; nothing was made on the destination yet",
				quoted != NULL ? quoted : pattern);
		free(quoted);
		json_decref(word);
	}
}

int bm_transfer_phase_run(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_conninfo source = {0}, destination = {0};

	bm_phase_conninfo(phase, BM_SIDE_SOURCE, &source);
	bm_phase_conninfo(phase, BM_SIDE_DESTINATION, &destination);
	bm_conninfo_put(&destination, "options", "-c session_replication_role=replica");
	const struct bm_transfer_options options = {.source = &source,
			.destination = &destination,
			.jobs = phase->request.jobs,
			.max_rate = phase->request.max_rate,
			.throttle = phase->request.throttle,
			.filter = phase->request.filter,
			.roles = phase->request.roles,
			.extensions = phase->request.extensions,
			.fence = true,
			.captured = true,
			.trust_keys = phase->request.trust_keys,
			.progress = on_progress,
			.note = on_note,
			.find = on_find,
			.ctx = phase};
	struct bm_transfer *transfer = bm_transfer_open(&options, err);
	int rc = transfer == NULL ? -1 : 0;
	/* Finished: nothing is left to do in any of the three. */
	if (rc == 0 && !bm_transfer_is_finished(transfer)) {
		rc = run_part(phase, transfer, err);
	}
	if (rc == 0) {
		struct bm_transfer_progress end = bm_transfer_progress(transfer);
		json_object_set_new(
				phase->evidence, "bytes", json_integer((json_int_t)end.bytes));
		json_object_set_new(
				phase->evidence, "rows", json_integer((json_int_t)end.rows));
		json_object_set_new(phase->evidence, "trusted_keys",
				json_integer((json_int_t)bm_transfer_trusted_keys(transfer)));
		json_object_set_new(phase->evidence, "reused_chunks",
				json_integer((json_int_t)end.reused_chunks));
	}
	if (rc == 0 && phase->request.is_both && strcmp(phase->request.phase, "copy") == 0) {
		rc = bm_capture_wake(phase, err);
	} else if (rc != 0 && transfer != NULL) {
		offer_to_leave_out(phase, transfer, err);
	}
	bm_transfer_close(transfer);
	bm_conninfo_finish(&source);
	bm_conninfo_finish(&destination);
	return rc;
}
