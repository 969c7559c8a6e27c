/* Which path the source has, whether it is safe here, and what was made with it. */
#include "worker/transfer/path.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/paths.h"

/* clang-format off */
const char bm_paths_operators_sql[] =
#include "worker/transfer/sql/unnamed_operators.sql.inc"
;

const char bm_paths_source_sql[] =
#include "worker/transfer/sql/source_path.sql.inc"
;

const char bm_paths_safe_sql[] =
#include "worker/transfer/sql/safe_path.sql.inc"
;
/* clang-format on */

bool bm_path_may_help(const struct bm_error *err)
{
	/* Of a table, function or operator, object, schema, column. */
	static const char *const missing[] = {"42P01", "42883", "42704", "3F000", "42703"};

	for (size_t i = 0; i < BM_COUNT_OF(missing); i++) {
		if (strcmp(err->sqlstate, missing[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- which path ---- */

/* Connect for it, once. */
static int hold_source(struct bm_transfer *t, struct bm_error *err)
{
	if (t->path_source != NULL && PQstatus(t->path_source) == CONNECTION_OK) {
		return 0;
	}
	PQfinish(t->path_source);
	t->path_source = bm_endpoint_connect(&t->source, err);
	if (t->path_source != NULL && t->usual_path == NULL) {
		t->usual_path = bm_endpoint_usual_path(&t->source);
	}
	return t->path_source != NULL ? 0 : -1;
}

/* The schemas of the source's path, as text[]; free(). */
static char *ask_source(struct bm_transfer *t, const char *relation, struct bm_error *err)
{
	char *schemas = NULL;

	pthread_mutex_lock(&t->path_mutex);
	if (hold_source(t, err) == 0) {
		const char *const params[] = {relation[0] != '\0' ? relation : NULL,
				t->usual_path != NULL ? t->usual_path : BM_PATHS_USUAL};
		PGresult *rows = bm_sql_params(
				t->path_source, bm_paths_source_sql, 2, params, err);
		schemas = rows == NULL ? NULL : bm_strdup(PQgetvalue(rows, 0, 0));
		PQclear(rows);
	}
	pthread_mutex_unlock(&t->path_mutex);
	return schemas;
}

char *bm_path_find(struct bm_transfer *t, PGconn *destination, const char *relation,
		struct bm_error *why)
{
	char *schemas = ask_source(t, relation, why);
	const char *const params[] = {schemas, relation};
	PGresult *rows = schemas == NULL
			? NULL
			: bm_sql_params(destination, bm_paths_safe_sql, 2, params, why);
	char *path = NULL;

	if (rows != NULL && !PQgetisnull(rows, 0, 0)) {
		path = bm_strdup(PQgetvalue(rows, 0, 0));
	} else if (rows != NULL) {
		bm_error_set(why, BM_ERR_PRECONDITION,
				"it was not tried with the search_path of the source, since that is "
				"not safe on the destination: %s",
				PQgetvalue(rows, 0, 1));
	}
	PQclear(rows);
	free(schemas);
	return path;
}

void bm_path_refused(struct bm_error *err, const struct bm_error *why)
{
	if (why->code == BM_ERR_PRECONDITION) {
		char said[sizeof(err->message)];
		bm_text_copy(said, sizeof(said), err->message);
		char sqlstate[sizeof(err->sqlstate)];
		bm_text_copy(sqlstate, sizeof(sqlstate), err->sqlstate);
		bm_error_set(err, err->code != BM_ERR_NONE ? err->code : why->code, "%s%s%s",
				said, said[0] != '\0' ? "; " : "", why->message);
		bm_text_copy(err->sqlstate, sizeof(err->sqlstate), sqlstate);
	}
}

void bm_path_other(struct bm_transfer *t, const char *type, const char *name,
		const struct bm_error *why)
{
	char *object = bm_format("%s%s%s", type, type[0] != '\0' ? " " : "", name);
	char *text = bm_format(
			"it compares by an operator that its text cannot name (IS DISTINCT "
			"FROM, NULLIF, CASE, JOIN USING), and may do so by another one on "
			"the destination: %s",
			why->message);

	bm_transfer_find(t, object, text,
			"fix that and make it anew there with the search_path of the source; or "
			"write it on the source with OPERATOR(schema.=)");
	free(text);
	free(object);
}

char *bm_path_wrap(const char *path, const char *sql)
{
	return bm_format("SET LOCAL search_path = %s; %s\n; " BM_PATH_BACK_SQL, path, sql);
}

/* ---- what needs it from the beginning ---- */

static void flag(struct bm_entries *entries, const PGresult *rows)
{
	for (size_t i = 0; i < entries->count; i++) {
		struct bm_entry *entry = &entries->list[i];
		for (int row = 0; row < PQntuples(rows) && entry->oid != 0; row++) {
			entry->with_path = entry->with_path ||
					(entry->oid ==
									strtoul(PQgetvalue(rows,
												row,
												BM_PATHS_OID),
											NULL,
											10) &&
							entry->class_oid ==
									strtoul(PQgetvalue(rows,
												row,
												BM_PATHS_CLASS),
											NULL,
											10));
		}
	}
}

int bm_path_flag(struct bm_transfer *t, struct bm_entries *before, struct bm_entries *after,
		struct bm_error *err)
{
	PGresult *rows = bm_sql_params(t->snapshot_session, bm_paths_operators_sql, 1,
			(const char *const *)&t->outside, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "looking for operators that cannot be named");
	}
	flag(before, rows);
	flag(after, rows);
	PQclear(rows);
	return 0;
}

/* ---- what is told ---- */

void bm_path_record(struct bm_transfer *t, const char *path, const char *name)
{
	pthread_mutex_lock(&t->mutex);
	bm_strbuf_printf(&t->path_news, "%s%s", t->path_news.length > 0 ? ", " : "", name);
	if (path != NULL) {
		bm_strbuf_printf(&t->path_news, " (%s)", path);
	}
	pthread_mutex_unlock(&t->mutex);
}

void bm_path_report(struct bm_transfer *t)
{
	if (t->path_news.length > 0) {
		bm_transfer_note(t,
				"made with the path of the source, since they do not find all that "
				"they need without it: %s",
				bm_strbuf_text(&t->path_news));
		bm_strbuf_clear(&t->path_news);
	}
}
