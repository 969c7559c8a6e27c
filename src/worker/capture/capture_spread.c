/*
 * Which of several syncs a table goes to.
 *
 * A sync applies its tables in one transaction, and each sync on its own: tables joined
 * by foreign keys, and those of one parent, have to stay together. Such groups, the biggest
 * first, go to the sync that has the least. A table that is in a sync already stays
 * there, and related tables that come later follow it: its deltas are marked for that sync.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "worker/capture/capture.h"

/* What a table without rows weighs. */
#define PAGE_BYTES 8192

#define NOWHERE BM_SYNCS_LIMIT

/* ---- who belongs together ---- */

/* The selected tables in their order, then the parents that hold no rows themselves. */
struct related {
	unsigned long *oids;
	size_t *ups; /* towards the first of those that belong together */
	size_t count;
};

static size_t add_related(struct related *related, unsigned long oid)
{
	related->oids = bm_realloc(related->oids, related->count + 1, sizeof(*related->oids));
	related->ups = bm_realloc(related->ups, related->count + 1, sizeof(*related->ups));
	related->oids[related->count] = oid;
	related->ups[related->count] = related->count;
	return related->count++;
}

static size_t find_related(struct related *related, const char *text)
{
	unsigned long oid = strtoul(text, NULL, 10);

	for (size_t i = 0; i < related->count; i++) {
		if (related->oids[i] == oid) {
			return i;
		}
	}
	return add_related(related, oid);
}

static size_t first_of(const struct related *related, size_t i)
{
	while (related->ups[i] != i) {
		i = related->ups[i];
	}
	return i;
}

static void join(struct related *related, size_t a, size_t b)
{
	size_t first = first_of(related, a), other = first_of(related, b);

	if (first < other) {
		related->ups[other] = first;
	} else {
		related->ups[first] = other;
	}
}

static int read_related(
		struct bm_capture *capture, struct related *related, struct bm_error *err)
{
	PGresult *rows = bm_phase_ask(capture->phase, capture->phase->catalog,
			"SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f'"
			" UNION ALL SELECT inhrelid, inhparent FROM pg_inherits",
			0, NULL, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "reading the foreign keys of the source");
	}
	for (size_t i = 0; i < capture->tables.count; i++) {
		add_related(related, strtoul(capture->tables.tables[i].oid, NULL, 10));
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		size_t one = find_related(related, PQgetvalue(rows, row, 0));
		size_t other = find_related(related, PQgetvalue(rows, row, 1));
		join(related, one, other);
	}
	PQclear(rows);
	return 0;
}

/* ---- how much it is, and where it is already ---- */

static int read_weights(struct bm_capture *capture, uint64_t *weights, struct bm_error *err)
{
	char *oids = bm_selected_oids(&capture->tables);
	PGresult *rows = bm_phase_ask(capture->phase, capture->phase->catalog,
			"SELECT coalesce(pg_relation_size(t.oid), 0) FROM"
			" unnest($1::oid[]) WITH ORDINALITY AS t(oid, n) ORDER BY n",
			1, (const char *const *)&oids, err);
	free(oids);
	if (rows == NULL) {
		return bm_error_wrap(err, "reading the sizes of the source's tables");
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		weights[row] = PAGE_BYTES + strtoull(PQgetvalue(rows, row, 0), NULL, 10);
	}
	PQclear(rows);
	return 0;
}

/* "app_tables" is 0, "app_tables_2" is 1. */
/* clang-format off */
static const char members_sql[] =
#include "worker/deltas/sql/members_by_sync.sql.inc"
;
/* clang-format on */

static int read_places(struct bm_capture *capture, unsigned *places, struct bm_error *err)
{
	const char *const params[] = {capture->phase->request.name};
	PGresult *rows = bm_phase_ask(
			capture->phase, BM_SIDE_CONTROL, members_sql, 1, params, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "reading which tables are in a sync");
	}
	for (size_t i = 0; i < capture->tables.count; i++) {
		const char *name = capture->tables.tables[i].quoted;
		places[i] = NOWHERE;
		for (int row = 0; row < PQntuples(rows); row++) {
			if (strcmp(PQgetvalue(rows, row, 0), name) == 0) {
				places[i] = (unsigned)strtoul(
						PQgetvalue(rows, row, 1), NULL, 10);
			}
		}
	}
	PQclear(rows);
	return 0;
}

/* ---- the spreading ---- */

/* Weights of those that belong together, at the first of them. */
static void gather(const struct bm_capture *capture, const struct related *related,
		uint64_t *weights, unsigned *places)
{
	for (size_t i = 0; i < capture->tables.count; i++) {
		size_t first = first_of(related, i);
		if (capture->tables.tables[i].left_out[0] != '\0') {
			weights[i] = 0;
		}
		if (first == i) {
			continue;
		}
		weights[first] += weights[i];
		if (places[first] == NOWHERE) {
			places[first] = places[i];
		}
	}
}

static size_t heaviest(const struct related *related, size_t count, const uint64_t *weights,
		const unsigned *places)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		if (first_of(related, i) == i && places[i] == NOWHERE &&
				(best == count || weights[i] > weights[best])) {
			best = i;
		}
	}
	return best;
}

static void spread(const struct bm_capture *capture, const struct related *related,
		uint64_t *weights, unsigned *places)
{
	uint64_t loads[BM_SYNCS_LIMIT] = {0};
	size_t count = capture->tables.count, next;

	gather(capture, related, weights, places);
	for (size_t i = 0; i < count; i++) {
		if (first_of(related, i) == i && places[i] < BM_SYNCS_LIMIT) {
			loads[places[i]] += weights[i];
		}
	}
	while ((next = heaviest(related, count, weights, places)) < count) {
		unsigned least = 0;
		for (unsigned k = 1; k < capture->phase->request.syncs; k++) {
			least = loads[k] < loads[least] ? k : least;
		}
		places[next] = least;
		loads[least] += weights[next];
	}
	for (size_t i = 0; i < count; i++) {
		places[i] = places[i] == NOWHERE ? places[first_of(related, i)] : places[i];
	}
}

unsigned *bm_capture_spread(struct bm_capture *capture, struct bm_error *err)
{
	size_t count = capture->tables.count + 1;
	unsigned *places = bm_alloc(count * sizeof(*places));
	uint64_t *weights = bm_alloc(count * sizeof(*weights));
	struct related related = {0};

	int rc = read_places(capture, places, err);
	if (rc == 0) {
		rc = read_related(capture, &related, err);
	}
	if (rc == 0) {
		rc = read_weights(capture, weights, err);
	}
	if (rc == 0) {
		spread(capture, &related, weights, places);
	} else {
		free(places);
		places = NULL;
	}
	free(weights);
	free(related.oids);
	free(related.ups);
	return places;
}
