/* What two sides that remember the same migration mean; no I/O. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "worker/live/identity.h"
#include "worker/live/identity_hints.h"

static const char *text(const json_t *state, const char *member)
{
	const char *value = json_string_value(json_object_get(state, member));

	return value != NULL ? value : "";
}

static json_int_t number(const json_t *state, const char *member)
{
	return json_integer_value(json_object_get(state, member));
}

bool bm_identity_is_foreign(const json_t *state, const char *owner)
{
	return state != NULL && strcmp(text(state, "owner"), owner) != 0;
}

void bm_identity_report_foreign(const json_t *state, const char *side, struct bm_strbuf *out)
{
	bm_strbuf_printf(out,
			"another machine owns this migration on the %s: the one on host %s (control "
			"cluster %s), since %s UTC; it was heard of %" JSON_INTEGER_FORMAT
			" s ago",
			side, text(state, "host"), text(state, "owner"), text(state, "since"),
			number(state, "age_msec") / 1000);
}

void bm_identity_hint_foreign(
		const json_t *state, const char *migration, char *out, size_t size)
{
	if (number(state, "age_msec") < BM_IDENTITY_SILENCE_MSEC) {
		snprintf(out, size,
				"give the migration another name in machine.yaml; or stop that machine "
				"for good, wait a minute, and say `bucardo-machine accept %s take-over`",
				migration);
		return;
	}
	snprintf(out, size,
			"if that machine is gone for good: `bucardo-machine accept %s take-over`; else "
			"give the migration another name in machine.yaml",
			migration);
}

void bm_identity_hint_replaced(const char *migration, char *out, size_t size)
{
	snprintf(out, size,
			"`bucardo-machine accept %s resend` sends all rows again and removes those that "
			"only the other side has; `bucardo-machine accept %s as-is` goes on when nothing "
			"is missing; or start anew with an empty destination",
			migration, migration);
}

/* ---- the numbers ---- */

static bool is_moved(const json_t *state)
{
	return strcmp(text(state, "timeline"), text(state, "timeline_now")) != 0 ||
			strcmp(text(state, "identity"), text(state, "identity_now")) != 0;
}

static void report_older(const char *older, const char *other, const char *what, json_int_t has,
		json_int_t knows, struct bm_strbuf *why)
{
	bm_strbuf_printf(why,
			"the %s is not as it was left: it was set back (restored from a backup, or a "
			"replica was promoted that had not got everything): its last %s is "
			"%" JSON_INTEGER_FORMAT ", and the %s knows of %" JSON_INTEGER_FORMAT,
			older, what, has, other, knows);
}

/* The source is written first: a worker that was killed in between leaves it one ahead. */
static bool passes_agree(const json_t *source, const json_t *destination, struct bm_strbuf *why)
{
	json_int_t here = number(source, "pass"), there = number(destination, "pass");
	const char *seen = text(destination, "nonce");

	if ((here == there && strcmp(text(source, "nonce"), seen) == 0) ||
			(here == there + 1 && strcmp(text(source, "before"), seen) == 0)) {
		return true;
	}
	if (here == there) {
		bm_strbuf_printf(why,
				"both sides had pass %" JSON_INTEGER_FORMAT
				" without each other: one of them, or both, were set back",
				here);
	} else if (here > there) {
		report_older("destination", "source", "pass", there, here, why);
	} else {
		report_older("source", "destination", "pass", here, there, why);
	}
	return false;
}

/* A run commits on the destination first: the source may have missed the end of one, but not
 * when it is another server since then: that one may never have had the rows. */
static bool run_agrees(const json_t *source, const json_t *one, const json_t *other,
		struct bm_strbuf *why)
{
	json_int_t here = number(one, "run"), there = number(other, "run");

	if (here == there && strcmp(text(one, "nonce"), text(other, "nonce")) == 0) {
		return true;
	}
	if (here + 1 == there && !is_moved(source)) {
		return true;
	}
	if (here == there) {
		bm_strbuf_printf(why,
				"both sides had run %" JSON_INTEGER_FORMAT
				" without each other: one of them, or both, were set back",
				here);
	} else if (here > there) {
		report_older("destination", "source", "run", there, here, why);
	} else {
		report_older("source", "destination", "run", here, there, why);
	}
	return false;
}

/* Without "runs" they moved while they were read. */
static bool runs_agree(const json_t *source, const json_t *destination, struct bm_strbuf *why)
{
	const json_t *here = json_object_get(source, "runs");
	const json_t *there = json_object_get(destination, "runs");
	const char *sync;
	json_t *run;

	if (here == NULL || there == NULL) {
		return true;
	}
	json_object_foreach((json_t *)(uintptr_t)here, sync, run)
	{
		if (!run_agrees(source, run, json_object_get(there, sync), why)) {
			return false;
		}
	}
	json_object_foreach((json_t *)(uintptr_t)there, sync, run)
	{
		if (!run_agrees(source, json_object_get(here, sync), run, why)) {
			return false;
		}
	}
	return true;
}

enum bm_identity_result bm_identity_evaluate(const json_t *source, const json_t *destination,
		const char *owner, struct bm_strbuf *why)
{
	if (bm_identity_is_foreign(source, owner)) {
		bm_identity_report_foreign(source, "source", why);
		return BM_IDENTITY_FOREIGN;
	}
	if (bm_identity_is_foreign(destination, owner)) {
		bm_identity_report_foreign(destination, "destination", why);
		return BM_IDENTITY_FOREIGN;
	}
	if (source == NULL && destination == NULL) {
		return BM_IDENTITY_NEW;
	}
	if (source == NULL || destination == NULL) {
		bm_strbuf_printf(why,
				"the %s has nothing of what was written there about this migration: it "
				"is another database, or schema bucardo was dropped in it",
				source == NULL ? "source" : "destination");
		return BM_IDENTITY_REPLACED;
	}
	const char *stopped = text(source, "stopped")[0] != '\0' ? text(source, "stopped")
								 : text(destination, "stopped");
	if (stopped[0] != '\0') {
		bm_strbuf_puts(why, stopped);
		return BM_IDENTITY_REPLACED;
	}
	return passes_agree(source, destination, why) && runs_agree(source, destination, why)
			? BM_IDENTITY_GOOD
			: BM_IDENTITY_REPLACED;
}
