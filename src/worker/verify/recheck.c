#include "worker/verify/recheck.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"

/* Keys of one look, of tables with few columns: hashes and values of all columns travel. */
#define SLICE 2000
#define SLICE_BYTES ((size_t)4 << 20)
#define HASH_BYTES 24
#define VALUE_BYTES 400

/* How often a row has to differ. */
#define LOOKS 2

const char *const bm_row_kinds[BM_ROW_KINDS] = {[BM_ROW_MISSING] = "missing",
		[BM_ROW_EXTRA] = "extra",
		[BM_ROW_CHANGED] = "changed"};

struct look {
	struct bm_recheck *recheck;
	PGresult *rows[BM_PAIR_SIDES];
	/* The rows of the key that is looked at, or where they would be: a key of the source
	 * may be none on the destination. */
	int at[BM_PAIR_SIDES], count[BM_PAIR_SIDES];
};

/* ---- what differs ---- */

static json_t *key_of(const struct bm_verify_table *table, const struct bm_key_row *key)
{
	json_t *object = json_object();

	for (size_t i = 0; i < table->key_count; i++) {
		json_object_set_new(
				object, table->key[i].name, bm_json_text(bm_key_text(key, i)));
	}
	return object;
}

/* "{1,-2,3}": the next number, as it stands there. */
static const char *next_number(const char *text, const char **number, size_t *length)
{
	text += strspn(text, "{,");
	*number = text;
	*length = strcspn(text, ",}");
	return text + *length;
}

static json_t *value_of(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) ? json_null()
					      : bm_json_text(PQgetvalue(rows, row, column));
}

/* The columns that differ, with both values when they were asked for. */
static json_t *columns_of(const struct look *look)
{
	const struct bm_verify_table *table = look->recheck->scan->table;
	int hashes = (int)table->key_count;
	const char *a = PQgetvalue(look->rows[0], look->at[0], hashes);
	const char *b = PQgetvalue(look->rows[1], look->at[1], hashes);
	json_t *columns = json_object();

	for (size_t i = 0; i < table->column_count; i++) {
		const char *one, *other;
		size_t length, other_length;
		a = next_number(a, &one, &length);
		b = next_number(b, &other, &other_length);
		if (length == other_length && memcmp(one, other, length) == 0) {
			continue;
		}
		json_t *values = json_object();
		for (int side = 0; look->recheck->values && side < BM_PAIR_SIDES; side++) {
			json_object_set_new(values, bm_pair_side_name((enum bm_pair_side)side),
					value_of(look->rows[side], look->at[side],
							hashes + 1 + (int)i));
		}
		json_object_set_new(columns, table->columns[i].name, values);
	}
	return columns;
}

static void keep_key(struct bm_recheck *recheck, const struct bm_key_row *key, int kind)
{
	struct bm_keys *found = &recheck->found[kind];

	recheck->unrepaired += key->sent;
	if (recheck->room == NULL || *recheck->room == 0) {
		return;
	}
	if (found->columns == 0) {
		bm_keys_init(found, recheck->scan->table->key_count);
	}
	if (bm_keys_add_one(found, key)) {
		--*recheck->room;
	}
}

/* What a difference takes: its nodes, some of them for each column, and its texts. */
static size_t bytes_of(const json_t *one)
{
	return json_dumpb(one, NULL, 0, 0) * 4 + 600;
}

static void name_difference(struct look *look, const struct bm_key_row *key, int kind)
{
	struct bm_recheck *recheck = look->recheck;
	json_t *one = json_pack("{s:o, s:s}", "key", key_of(recheck->scan->table, key), "kind",
			bm_row_kinds[kind]);

	if (kind == BM_ROW_CHANGED) {
		json_object_set_new(one, "columns", columns_of(look));
	}
	size_t bytes = bytes_of(one);
	*recheck->bytes -= bytes < *recheck->bytes ? bytes : *recheck->bytes;
	json_array_append_new(recheck->differences, one);
}

static void record(struct look *look, const struct bm_key_row *key, int kind)
{
	struct bm_recheck *recheck = look->recheck;

	recheck->kinds[kind]++;
	keep_key(recheck, key, kind);
	size_t named = json_array_size(recheck->differences);
	if (named < (*recheck->bytes > 0 ? BM_DIFFERENCES_NAMED : BM_DIFFERENCES_ALWAYS)) {
		name_difference(look, key, kind);
	}
}

/* ---- one look ---- */

static int order_of(const struct look *look, int side, int row, const struct bm_key_row *key)
{
	size_t columns = look->recheck->scan->table->key_count;
	int order = 0;

	for (size_t i = 0; order == 0 && i < columns; i++) {
		order = strcmp(PQgetvalue(look->rows[side], row, (int)i), bm_key_text(key, i));
	}
	return order;
}

/* Answers are in the order of the keys, so each key is found by going on. There may be rows
 * that nobody asked for: what the type calls equal may have another text. */
static void seek(struct look *look, const struct bm_key_row *key)
{
	for (int side = 0; side < BM_PAIR_SIDES; side++) {
		int rows = PQntuples(look->rows[side]), at = look->at[side] + look->count[side];
		while (at < rows && order_of(look, side, at, key) < 0) {
			at++;
		}
		look->at[side] = at;
		while (at < rows && order_of(look, side, at, key) == 0) {
			at++;
		}
		look->count[side] = at - look->at[side];
	}
}

static bool is_row_equal(const struct look *look)
{
	int hashes = (int)look->recheck->scan->table->key_count;

	return strcmp(PQgetvalue(look->rows[0], look->at[0], hashes),
			       PQgetvalue(look->rows[1], look->at[1], hashes)) == 0;
}

/* Goes on to the first pair of rows that differ. */
static bool is_equal(struct look *look)
{
	bool equal = look->count[0] == look->count[1];

	while (equal && look->count[0] > 0 && (equal = is_row_equal(look))) {
		look->at[0]++, look->at[1]++;
		look->count[0]--, look->count[1]--;
	}
	return equal;
}

/* True when the row needs no other look. One that is equal is so, under way or not; one that is
 * under way may differ. */
static bool evaluate(struct look *look, struct bm_key_row *key, bool is_pending)
{
	seek(look, key);
	int more = look->count[0] - look->count[1];
	int kind = more < 0 ? BM_ROW_EXTRA : more > 0 ? BM_ROW_MISSING : BM_ROW_CHANGED;
	bool is_gone = look->count[0] + look->count[1] == 0;
	bool equal = is_equal(look);

	key->failed = equal || is_pending ? 0 : key->failed + 1;
	bool is_decided = equal || key->failed >= LOOKS;
	if (!equal && is_decided) {
		record(look, key, kind);
	}
	look->recheck->scan->vanished += is_gone;
	return is_decided;
}

static int ask(struct look *look, const struct bm_keys *keys, size_t first, size_t count,
		struct bm_error *err)
{
	struct bm_scan *scan = look->recheck->scan;
	struct bm_strbuf sql = BM_STRBUF_INIT;
	char *params[BM_KEYS_COLUMNS];

	bm_digest_look_sql(scan->digest, scan->table, look->recheck->values, &sql);
	bm_keys_params(keys, first, count, params);
	const char *const both[] = {bm_strbuf_text(&sql), bm_strbuf_text(&sql)};
	int rc = bm_pair_ask(scan->pair->main, both, (int)keys->columns,
			(const char *const *)params, look->rows, NULL, err);
	bm_keys_free_params(keys, params);
	bm_strbuf_finish(&sql);
	for (int side = 0; side < BM_PAIR_SIDES; side++) {
		look->at[side] = look->count[side] = 0;
	}
	return rc;
}

/* Those that are decided leave the list; what is under way is not looked at. */
static int look_at_slice(struct look *look, const struct bm_keys *pending, size_t first,
		size_t count, struct bm_error *err)
{
	struct bm_keys *suspects = &look->recheck->scan->suspects;

	if (ask(look, suspects, first, count, err) != 0) {
		return -1;
	}
	for (size_t i = first; i < first + count; i++) {
		struct bm_key_row *key = &suspects->list[i];
		if (evaluate(look, key, bm_keys_find(pending, key->texts) != NULL)) {
			free(key->texts);
			key->texts = NULL;
		}
	}
	PQclear(look->rows[0]);
	PQclear(look->rows[1]);
	return 0;
}

static void drop_decided(struct bm_keys *keys)
{
	size_t kept = 0;

	for (size_t i = 0; i < keys->count; i++) {
		if (keys->list[i].texts != NULL) {
			keys->list[kept++] = keys->list[i];
		}
	}
	keys->count = kept;
}

/* Rows that differed once only. */
static bool is_undecided(const struct bm_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (keys->list[i].failed > 0) {
			return true;
		}
	}
	return false;
}

bool bm_recheck_is_over(const struct bm_recheck *recheck, bool is_late)
{
	const struct bm_scan *scan = recheck->scan;

	return scan->suspects.count == 0 || scan->too_many_pending || scan->truncated ||
			(is_late && !is_undecided(&scan->suspects));
}

void bm_recheck_finish(struct bm_recheck *recheck)
{
	for (int kind = 0; kind < BM_ROW_KINDS; kind++) {
		if (recheck->room != NULL) {
			*recheck->room += recheck->found[kind].count;
		}
		bm_keys_finish(&recheck->found[kind]);
	}
	json_decref(recheck->differences);
}

static size_t slice_of(const struct bm_recheck *recheck)
{
	size_t bytes = (recheck->scan->table->column_count + 1) *
			(HASH_BYTES + (recheck->values ? VALUE_BYTES : 0));

	return SLICE_BYTES / bytes < SLICE ? SLICE_BYTES / bytes : SLICE;
}

/* As many as there is time for in one snapshot, from `first` on. */
static int look_at_some(struct bm_recheck *recheck, size_t *first, struct bm_error *err)
{
	struct bm_scan *scan = recheck->scan;
	struct look look = {.recheck = recheck};
	struct bm_moment moment;
	size_t slice = slice_of(recheck), count = scan->suspects.count;
	uint64_t begun_msec = bm_clock_msec(), limit_msec = scan->snapshot_msec;
	int rc = bm_moment_begin(scan->pair, scan->table, limit_msec, &moment, err);

	scan->too_many_pending = scan->too_many_pending || moment.too_many;
	scan->truncated = scan->truncated || moment.truncated;
	while (rc == 0 && *first < count && !moment.too_many && !moment.truncated &&
			(limit_msec == 0 || bm_clock_msec() - begun_msec < limit_msec / 2)) {
		size_t left = count - *first;
		left = left < slice ? left : slice;
		rc = look_at_slice(&look, &moment.pending, *first, left, err);
		*first += left;
	}
	bm_moment_end(scan->pair, &moment);
	return rc;
}

int bm_recheck_round(struct bm_recheck *recheck, struct bm_error *err)
{
	struct bm_scan *scan = recheck->scan;
	size_t first = 0;
	int rc;

	do {
		rc = look_at_some(recheck, &first, err);
	} while (rc == 0 && first < scan->suspects.count && !scan->too_many_pending &&
			!scan->truncated);
	drop_decided(&scan->suspects);
	return rc;
}
