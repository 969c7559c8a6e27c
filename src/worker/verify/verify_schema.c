/*
 * Definitions: what both catalogs say, by kind and name. First digests of all of them travel,
 * then the texts of those that differ.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/table_filter.h"
#include "worker/verify/object.h"
#include "worker/verify/verify_only.h"

/* That many are named; all are counted. */
#define NAMED_MOST 1000

/* Both texts of a definition stand in the reason when they are no longer than that. */
#define SHORT_TEXT 90

/* clang-format off */
static const char schema_sql[] =
#include "worker/verify/sql/verify_schema.sql.inc"
;
/* clang-format on */

enum { KIND, NAME, TABLE, DIGEST, IS_QUERY, TEXT, STATEMENT, UNDO };

struct definition { /* texts belong to the rows of the side */
	const char *kind, *name;
	const char *table;  /* that it is of; NULL */
	const char *digest; /* NULL: as good as not there; "?": not compared */
	bool is_query;	    /* servers of two versions write it differently */
};

struct side {
	PGresult *rows;
	struct definition *list; /* by kind and name */
	size_t count;
	json_t *ask;
};

struct schema {
	struct bm_pair *pair;
	struct side sides[BM_PAIR_SIDES];
	json_t *objects, *keys; /* keys: of those that differ */
	size_t equal, unnamed;
};

/* ---- what is asked for ---- */

/* {"name": true} of words; with `is_pairs` {"name": "value"} of "name=value". */
static json_t *set_of(const char *const *words, bool is_pairs)
{
	json_t *set = json_object();

	for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
		const char *equals = is_pairs ? strchr(words[i], '=') : NULL;
		size_t length = equals != NULL ? (size_t)(equals - words[i]) : strlen(words[i]);
		char *name = bm_format("%.*s", (int)length, words[i]);
		json_object_set_new(set, name,
				equals != NULL ? bm_json_text(equals + 1) : json_true());
		free(name);
	}
	return set;
}

/* The OIDs of what the migration leaves out, and of what goes with it; NULL with `err`. */
static json_t *left_out(
		PGconn *conn, const struct bm_table_filter *filter, struct bm_error *err)
{
	json_t *oids = json_array();

	if (filter == NULL || !bm_table_filter_is_made(filter)) {
		return oids;
	}
	char *param = bm_table_filter_param(filter);
	const char *const params[] = {param};
	PGresult *rows = bm_pair_ask_one(conn, bm_table_filter_sql, 1, params, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		if (bm_table_filter_row_is(rows, row, "out") ||
				bm_table_filter_row_is(rows, row, "follows")) {
			json_array_append_new(oids,
					json_string(PQgetvalue(
							rows, row, BM_TABLE_FILTER_OBJECT)));
		}
	}
	free(param);
	if (rows == NULL) {
		json_decref(oids);
		return NULL;
	}
	PQclear(rows);
	return oids;
}

/* The roles of the destination: all, and those to which our role may give objects. */
static int read_roles(PGconn *conn, json_t *roles, json_t *owning, struct bm_error *err)
{
	const char *const params[] = {PQserverVersion(conn) >= 160000 ? "SET" : "MEMBER"};
	PGresult *rows = bm_pair_ask_one(conn,
			"SELECT rolname, pg_has_role(oid, $1) FROM pg_roles", 1, params, err);

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		json_object_set_new(roles, PQgetvalue(rows, row, 0), json_true());
		if (PQgetvalue(rows, row, 1)[0] == 't') {
			json_object_set_new(owning, PQgetvalue(rows, row, 0), json_true());
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

/* Takes `only`. */
static json_t *ask_of(struct schema *it, const struct bm_verify_options *options, json_t *only)
{
	static const struct bm_role_rules no_roles;
	static const struct bm_extension_rules no_extensions;
	const struct bm_role_rules *roles = options->roles != NULL ? options->roles : &no_roles;
	const struct bm_extension_rules *extensions = options->extensions != NULL
			? options->extensions
			: &no_extensions;
	PGconn *const *conns = it->pair->main;

	return json_pack("{s:o, s:n, s:b, s:b, s:b, s:o, s:o, s:o, s:o}", "only", only, "keys",
			"cross",
			PQserverVersion(conns[0]) / 10000 != PQserverVersion(conns[1]) / 10000,
			"owners", !roles->drop_owners, "grants", !roles->drop_grants, "skip",
			set_of(extensions->skip, false), "pins",
			set_of(extensions->versions, true), "database",
			bm_json_text(PQdb(conns[1])), "map", json_object());
}

static int prepare(struct schema *it, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, struct bm_error *err)
{
	json_t *only = bm_verify_only(it->pair, options, catalog, err);
	if (only == NULL) {
		return -1;
	}
	json_t *common = ask_of(it, options, only);
	json_t *roles = json_object(), *owning = json_object();
	int rc = read_roles(it->pair->main[BM_PAIR_DESTINATION], roles, owning, err);

	json_object_set_new(common, "roles", roles);
	json_object_set_new(common, "owning", owning);
	for (enum bm_pair_side side = 0; rc == 0 && side < BM_PAIR_SIDES; side++) {
		json_t *out = left_out(it->pair->main[side], options->filter, err);
		it->sides[side].ask = json_copy(common);
		json_object_set_new(it->sides[side].ask, "side",
				json_string(bm_pair_side_name(side)));
		json_object_set_new(it->sides[side].ask, "out", out);
		rc = out != NULL ? 0 : -1;
	}
	if (rc == 0 && options->roles != NULL) {
		json_object_set_new(it->sides[BM_PAIR_SOURCE].ask, "map",
				set_of(options->roles->names, true));
	}
	json_decref(common);
	return rc;
}

/* ---- both catalogs ---- */

/* The statement on both sides, with what is asked of each. */
static int ask_both(struct schema *it, PGresult **rows, struct bm_error *err)
{
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		char *ask = json_dumps(it->sides[side].ask, JSON_COMPACT);
		const char *const params[] = {ask};
		rows[side] = bm_pair_ask_one(it->pair->main[side], schema_sql, 1, params, err);
		free(ask);
		if (rows[side] == NULL) {
			PQclear(side > 0 ? rows[0] : NULL);
			return bm_error_wrap(err, "%s: reading the definitions",
					bm_pair_side_name(side));
		}
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct definition *one = a, *other = b;
	int order = strcmp(one->kind, other->kind);

	return order != 0 ? order : strcmp(one->name, other->name);
}

static const char *text_of(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static int read_both(struct schema *it, struct bm_error *err)
{
	PGresult *rows[BM_PAIR_SIDES];

	if (ask_both(it, rows, err) != 0) {
		return -1;
	}
	for (enum bm_pair_side which = 0; which < BM_PAIR_SIDES; which++) {
		struct side *side = &it->sides[which];
		side->rows = rows[which];
		side->count = (size_t)PQntuples(side->rows);
		side->list = bm_alloc((side->count + 1) * sizeof(*side->list));
		for (size_t i = 0; i < side->count; i++) {
			side->list[i] = (struct definition){
					.kind = PQgetvalue(side->rows, (int)i, KIND),
					.name = PQgetvalue(side->rows, (int)i, NAME),
					.table = text_of(side->rows, (int)i, TABLE),
					.digest = text_of(side->rows, (int)i, DIGEST),
					.is_query = PQgetvalue(side->rows, (int)i,
								    IS_QUERY)[0] == 't'};
		}
		qsort(side->list, side->count, sizeof(*side->list), by_name);
	}
	return 0;
}

/* ---- what differs ---- */

static bool has(const struct side *side, const char *kind, const char *name)
{
	const struct definition wanted = {.kind = kind, .name = name};

	return bsearch(&wanted, side->list, side->count, sizeof(wanted), by_name) != NULL;
}

static bool has_table(const struct side *side, const char *name)
{
	static const char *const kinds[] = {
			"table definition", "partitioned table", "foreign table", "view"};

	for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
		if (has(side, kinds[i], name)) {
			return true;
		}
	}
	return false;
}

/* Whether that only one side has it is told with something else: the table it is of, say. */
static bool goes_without_saying(
		const struct schema *it, const struct definition *one, enum bm_pair_side where)
{
	const struct side *other = &it->sides[where == BM_PAIR_SOURCE ? BM_PAIR_DESTINATION
								      : BM_PAIR_SOURCE];
	bool is_table = one->table != NULL && strcmp(one->table, one->name) == 0;

	if (is_table) {
		/* The rows of such a table are told to be missing. */
		return where == BM_PAIR_SOURCE && strcmp(one->kind, "table definition") == 0;
	}
	if (one->table != NULL && !has_table(other, one->table)) {
		return true;
	}
	return strcmp(one->kind, "owner") == 0 || strcmp(one->kind, "extension version") == 0 ||
			(strcmp(one->kind, "grants") == 0 &&
					strncmp(one->name, "table column ", 13) != 0);
}

static void note(struct schema *it, const struct definition *one, enum bm_proof state)
{
	if (json_object_size(it->keys) >= NAMED_MOST) {
		it->unnamed++;
		return;
	}
	char *key = bm_format("%s %s", one->kind, one->name);
	/* A name that is no UTF-8 is no key. */
	json_t *object = bm_verify_object(one->kind, one->name, state, "");
	if (one->table != NULL) {
		json_object_set_new(object, "table", bm_json_text(one->table));
	}
	it->unnamed += json_object_set_new(it->keys, key, object) != 0;
	free(key);
}

static void take_one(struct schema *it, const struct definition *one, enum bm_pair_side where)
{
	if (one->digest != NULL && one->digest[0] != '?' &&
			!goes_without_saying(it, one, where)) {
		note(it, one, BM_PROOF_DIFFERENT);
	}
}

static void take_both(struct schema *it, const struct definition *here,
		const struct definition *there)
{
	const char *mine = here->digest, *other = there->digest;

	if (mine == NULL && other == NULL) {
		return;
	}
	if (mine == NULL || other == NULL) {
		note(it, here, BM_PROOF_DIFFERENT);
	} else if (mine[0] == '?' || other[0] == '?') {
		return;
	} else if (strcmp(mine, other) == 0) {
		it->equal++;
	} else {
		note(it, here, here->is_query ? BM_PROOF_UNPROVEN : BM_PROOF_DIFFERENT);
	}
}

static void merge(struct schema *it)
{
	const struct side *source = &it->sides[0], *destination = &it->sides[1];
	size_t i = 0, j = 0;

	while (i < source->count || j < destination->count) {
		int order = i == source->count ? 1
				: j == destination->count
				? -1
				: by_name(&source->list[i], &destination->list[j]);
		if (order == 0) {
			take_both(it, &source->list[i], &destination->list[j]);
		} else if (order < 0) {
			take_one(it, &source->list[i], BM_PAIR_SOURCE);
		} else {
			take_one(it, &destination->list[j], BM_PAIR_DESTINATION);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/* ---- what both say of it ---- */

static void take_texts(struct schema *it, PGresult *rows, enum bm_pair_side side)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		char *key = bm_format("%s %s", PQgetvalue(rows, row, KIND),
				PQgetvalue(rows, row, NAME));
		json_t *object = json_object_get(it->keys, key);
		free(key);
		if (object == NULL) {
			continue;
		}
		json_object_set_new(object, bm_pair_side_name(side),
				bm_json_text(PQgetvalue(rows, row, TEXT)));
		if (side == BM_PAIR_SOURCE && !PQgetisnull(rows, row, STATEMENT)) {
			json_object_set_new(object, "statement",
					bm_json_text(PQgetvalue(rows, row, STATEMENT)));
		}
		if (side == BM_PAIR_DESTINATION && !PQgetisnull(rows, row, UNDO)) {
			json_object_set_new(object, "undo",
					bm_json_text(PQgetvalue(rows, row, UNDO)));
		}
	}
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* What is there is taken away first, where it cannot be replaced. */
static void set_statement(json_t *object)
{
	const char *undo = member(object, "undo"), *made = member(object, "statement");

	if (undo != NULL) {
		char *both = bm_format("%s%s%s", undo, made != NULL ? "; " : "",
				made != NULL ? made : "");
		json_object_set_new(object, "statement", bm_json_text(both));
		json_object_del(object, "undo");
		free(both);
	}
}

/* Of two long texts what follows after the last word that both have. */
static char *both_texts(const char *source, const char *destination)
{
	bool is_short = strlen(source) <= SHORT_TEXT && strlen(destination) <= SHORT_TEXT;
	size_t same = 0;

	for (size_t i = 0; !is_short && source[i] != '\0' && source[i] == destination[i]; i++) {
		same = source[i] == ' ' ? i + 1 : same;
	}
	const char *dots = same > 0 ? "... " : "";
	const char *mine = source + same, *other = destination + same;

	return bm_format("%s%.*s on the source, %s%.*s on the destination", dots, SHORT_TEXT,
			mine[0] != '\0' ? mine : "nothing", dots, SHORT_TEXT,
			other[0] != '\0' ? other : "nothing");
}

static void set_reason(json_t *object)
{
	const char *source = member(object, "source"),
		   *destination = member(object, "destination");
	const char *state = member(object, "state");
	char *why;

	if (strcmp(state, bm_proof_name(BM_PROOF_UNPROVEN)) == 0) {
		why = bm_strdup("two versions of PostgreSQL write it in their own words: "
				"compare them");
	} else if (source == NULL || destination == NULL) {
		const char *only = source == NULL ? destination : source;
		bool is_told = only != NULL && only[0] != '\0' && strlen(only) <= SHORT_TEXT;
		why = bm_format("only on the %s%s%s", source == NULL ? "destination" : "source",
				is_told ? ": " : "", is_told ? only : "");
	} else {
		why = both_texts(source, destination);
	}
	json_object_set_new(object, "why", bm_json_text(why));
	free(why);
}

static int tell(struct schema *it, struct bm_error *err)
{
	PGresult *rows[BM_PAIR_SIDES];
	const char *key;
	json_t *object;

	if (json_object_size(it->keys) == 0) {
		return 0;
	}
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		json_object_set(it->sides[side].ask, "keys", it->keys);
	}
	if (ask_both(it, rows, err) != 0) {
		return -1;
	}
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		take_texts(it, rows[side], side);
		PQclear(rows[side]);
	}
	json_object_foreach(it->keys, key, object)
	{
		set_statement(object);
		set_reason(object);
		json_array_append(it->objects, object);
	}
	return 0;
}

/* ---- */

static void tell_rest(struct schema *it, const struct bm_error *err)
{
	char more[64];
	json_t *all = bm_verify_object("schema", "definitions",
			err != NULL ? BM_PROOF_UNPROVEN : BM_PROOF_EQUAL,
			err != NULL ? err->message : "");

	json_object_set_new(all, "equal", json_integer((json_int_t)it->equal));
	json_array_append_new(it->objects, all);
	if (it->unnamed > 0) {
		snprintf(more, sizeof(more), "%zu more differ", it->unnamed);
		json_array_append_new(it->objects,
				bm_verify_object("schema", "other definitions",
						BM_PROOF_DIFFERENT, more));
	}
}

void bm_verify_schema(struct bm_pair *pair, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, json_t *objects)
{
	struct schema it = {.pair = pair, .objects = objects, .keys = json_object()};
	struct bm_error err = BM_ERROR_INIT;
	int rc = prepare(&it, options, catalog, &err);

	if (rc == 0) {
		rc = read_both(&it, &err);
	}
	if (rc == 0) {
		merge(&it);
		rc = tell(&it, &err);
	}
	tell_rest(&it, rc != 0 ? &err : NULL);
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		PQclear(it.sides[side].rows);
		free(it.sides[side].list);
		json_decref(it.sides[side].ask);
	}
	json_decref(it.keys);
}
