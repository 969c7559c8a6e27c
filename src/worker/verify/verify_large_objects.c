/*
 * Large objects: bytes and a digest of each, which the servers compute page by page. Nothing
 * replicates them, so that nothing is under way.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "worker/verify/object.h"

/* So many of each side are read at once; beside applications. */
#define BATCH "1000"
#define BATCH_BESIDE "20"

/* That many are named; all are counted. */
#define NAMED_MOST 1000

/* clang-format off */
static const char objects_sql[] =
#include "worker/verify/sql/verify_large_objects.sql.inc"
" WHERE m.oid > $1::oid AND m.oid <= $2::oid ORDER BY m.oid";
/* clang-format on */

enum { OID, BYTES, DIGEST };

struct objects {
	json_t *list;
	size_t equal, unreadable, unnamed;
	uint64_t bytes; /* of those that are equal */
	char first[16]; /* that our role may not read */
};

static void name_one(struct objects *it, const char *oid, const char *why)
{
	if (json_array_size(it->list) >= NAMED_MOST) {
		it->unnamed++;
		return;
	}
	json_array_append_new(it->list,
			bm_verify_object("large object", oid, BM_PROOF_DIFFERENT, why));
}

static void compare(struct objects *it, PGresult *const *rows, int row, int there)
{
	const char *oid = PQgetvalue(rows[0], row, OID);
	const char *bytes = PQgetvalue(rows[0], row, BYTES),
		   *others = PQgetvalue(rows[1], there, BYTES);
	char why[160];

	if (PQgetisnull(rows[0], row, DIGEST) || PQgetisnull(rows[1], there, DIGEST)) {
		if (it->unreadable++ == 0) {
			snprintf(it->first, sizeof(it->first), "%s", oid);
		}
	} else if (strcmp(PQgetvalue(rows[0], row, DIGEST),
				   PQgetvalue(rows[1], there, DIGEST)) == 0) {
		it->equal++;
		it->bytes += strtoull(bytes, NULL, 10);
	} else if (strcmp(bytes, others) != 0) {
		snprintf(why, sizeof(why), "%s bytes on the source, %s on the destination",
				bytes, others);
		name_one(it, oid, why);
	} else {
		snprintf(why, sizeof(why), "other bytes, %s of them on both sides", bytes);
		name_one(it, oid, why);
	}
}

static void merge(struct objects *it, PGresult *const *rows)
{
	int i = 0, j = 0, count = PQntuples(rows[0]), others = PQntuples(rows[1]);

	while (i < count || j < others) {
		unsigned long mine = i < count ? strtoul(PQgetvalue(rows[0], i, OID), NULL, 10)
					       : UINT64_MAX;
		unsigned long other = j < others
				? strtoul(PQgetvalue(rows[1], j, OID), NULL, 10)
				: UINT64_MAX;
		if (mine == other) {
			compare(it, rows, i, j);
		} else if (mine < other) {
			name_one(it, PQgetvalue(rows[0], i, OID),
					"the destination does not have it");
		} else {
			name_one(it, PQgetvalue(rows[1], j, OID),
					"the source does not have it");
		}
		i += mine <= other;
		j += other <= mine;
	}
}

/* The last OID of the next batch: neither side has many more than `most` up to it. */
static int next_bound(struct bm_pair *pair, const char *after, const char *most, char bound[16],
		struct bm_error *err)
{
	static const char sql[] = "SELECT coalesce((SELECT oid FROM pg_largeobject_metadata"
				  " WHERE oid > $1::oid ORDER BY oid"
				  " OFFSET $2::bigint LIMIT 1), 4294967295::oid)";
	const char *const both[] = {sql, sql}, *const params[] = {after, most};
	PGresult *rows[BM_PAIR_SIDES];

	if (bm_pair_ask(pair->main, both, 2, params, rows, NULL, err) != 0) {
		return -1;
	}
	unsigned long one = strtoul(PQgetvalue(rows[0], 0, 0), NULL, 10);
	unsigned long other = strtoul(PQgetvalue(rows[1], 0, 0), NULL, 10);
	snprintf(bound, 16, "%lu", one < other ? one : other);
	PQclear(rows[0]);
	PQclear(rows[1]);
	return 0;
}

/* False: the background was told to end. */
static bool rest(struct bm_verify_beside *beside, uint64_t begun_msec, uint64_t bytes)
{
	if (beside != NULL && !bm_verify_is_ended(beside)) {
		beside->is_ended = !beside->rest(
				beside->ctx, bm_clock_msec() - begun_msec, bytes);
	}
	return !bm_verify_is_ended(beside);
}

static int read_all(struct bm_pair *pair, struct bm_verify_beside *beside, struct objects *it,
		struct bm_error *err)
{
	const char *const both[] = {objects_sql, objects_sql};
	const char *most = beside != NULL ? BATCH_BESIDE : BATCH;
	char after[16] = "0", bound[16];
	uint64_t begun_msec, bytes;

	do {
		begun_msec = bm_clock_msec();
		bytes = it->bytes;
		PGresult *rows[BM_PAIR_SIDES];
		const char *const params[] = {after, bound};
		if (next_bound(pair, after, most, bound, err) != 0 ||
				bm_pair_ask(pair->main, both, 2, params, rows, NULL, err) !=
						0) {
			return bm_error_wrap(err, "reading the large objects");
		}
		merge(it, rows);
		PQclear(rows[0]);
		PQclear(rows[1]);
		memcpy(after, bound, sizeof(after));
	} while (strcmp(bound, "4294967295") != 0 &&
			rest(beside, begun_msec, it->bytes - bytes));
	return 0;
}

static void tell(const struct objects *it, const struct bm_error *err, json_t *out)
{
	char why[128] = "";
	json_t *all;

	if (err != NULL) {
		all = bm_verify_object(
				"large objects", "content", BM_PROOF_UNPROVEN, err->message);
	} else if (it->unreadable > 0) {
		snprintf(why, sizeof(why),
				"our role may not read %zu of them, %s the first: GRANT "
				"SELECT ON LARGE OBJECT",
				it->unreadable, it->first);
		all = bm_verify_object("large objects", "content", BM_PROOF_UNPROVEN, why);
	} else if (it->unnamed > 0) {
		snprintf(why, sizeof(why), "%zu more differ", it->unnamed);
		all = bm_verify_object("large objects", "content", BM_PROOF_DIFFERENT, why);
	} else if (it->equal > 0) {
		all = bm_verify_object("large objects", "content", BM_PROOF_EQUAL, "");
	} else {
		return;
	}
	json_object_set_new(all, "equal", json_integer((json_int_t)it->equal));
	json_object_set_new(all, "bytes", json_integer((json_int_t)it->bytes));
	json_array_append_new(out, all);
}

void bm_verify_large_objects(
		struct bm_pair *pair, struct bm_verify_beside *beside, json_t *objects)
{
	struct objects it = {.list = json_array()};
	struct bm_error err = BM_ERROR_INIT;
	int rc = read_all(pair, beside, &it, &err);

	json_array_extend(objects, it.list);
	tell(&it, rc != 0 ? &err : NULL, objects);
	json_decref(it.list);
}
