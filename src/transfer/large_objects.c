/* Large objects: pages into a temporary table, then lo_create() and lo_put(). */
#include "transfer/large_objects.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/postgres.h"
#include "transfer/relay.h"

/* However small they are: one transaction locks each of its objects. */
#define OBJECTS_A_CHUNK 1000

/* Ranges of OIDs, and the bytes of the average range. Sizes are not for everybody. */
static const char ranges_sql[] =
		"WITH size AS (SELECT pg_table_size('pg_largeobject') AS bytes, count(*) AS n"
		"  FROM pg_largeobject_metadata),"
		" step AS (SELECT greatest(1, least(%u, %llu * n / greatest(bytes, 1))) AS n, bytes,"
		"  n AS total FROM size)"
		" SELECT min(o.oid), max(o.oid), (step.bytes * count(*) / step.total)::bigint"
		" FROM (SELECT oid, row_number() OVER (ORDER BY oid) - 1 AS at"
		"  FROM pg_largeobject_metadata) o, step"
		" GROUP BY o.at / step.n, step.bytes, step.total ORDER BY 1";

int bm_plan_large_objects(struct bm_transfer *t, struct bm_error *err)
{
	char *sql = bm_format(ranges_sql, OBJECTS_A_CHUNK,
			(unsigned long long)t->options.chunk_bytes);
	PGresult *rows = bm_sql(t->keeper, sql, err);

	free(sql);
	if (rows == NULL) {
		return bm_error_wrap(err, "looking for large objects");
	}
	for (int i = 0; i < PQntuples(rows); i++) {
		struct bm_chunk *chunk = bm_ledger_add_chunk(&t->ledger);
		chunk->table = bm_strdup(BM_LARGE_OBJECTS);
		chunk->condition = bm_format("m.oid BETWEEN %s AND %s", PQgetvalue(rows, i, 0),
				PQgetvalue(rows, i, 1));
		chunk->estimate = strtoull(PQgetvalue(rows, i, 2), NULL, 10);
	}
	PQclear(rows);
	return 0;
}

/*
 * What belongs to an object besides its bytes, as statements; refusals are harmless.
 * %1$s is the owner's name there and %2$s a grantee's, %3$s and %4$s whether they are
 * wanted, %5$s which objects.
 */
static const char about_sql[] =
		"COPY (SELECT m.oid, CASE WHEN %3$s THEN format('ALTER LARGE OBJECT %%s OWNER TO %%I',"
		"  m.oid, %1$s) ELSE '' END"
		" || coalesce(chr(1) || 'COMMENT ON LARGE OBJECT ' || m.oid || ' IS '"
		"  || quote_literal(obj_description(m.oid, 'pg_largeobject')), '')"
		" || coalesce((SELECT string_agg(format(chr(1) || 'GRANT %%s ON LARGE OBJECT %%s TO %%s',"
		"  a.privilege_type, m.oid, CASE a.grantee WHEN 0 THEN 'PUBLIC'"
		"  ELSE quote_ident(%2$s) END), '') FROM aclexplode(m.lomacl) a"
		"  LEFT JOIN pg_roles g ON g.oid = a.grantee WHERE %4$s), '')"
		" FROM pg_largeobject_metadata m JOIN pg_roles r ON r.oid = m.lomowner WHERE %5$s)"
		" TO STDOUT";

static const char pages_sql[] =
		"COPY (SELECT m.oid, p.pageno::bigint * 2048, p.data FROM pg_largeobject_metadata m"
		" JOIN pg_largeobject p ON p.loid = m.oid WHERE %s) TO STDOUT (FORMAT binary)";

/* For a role that may not read pg_largeobject itself. */
static const char values_sql[] =
		"COPY (SELECT m.oid, 0::bigint, lo_get(m.oid) FROM pg_largeobject_metadata m"
		" WHERE %s) TO STDOUT (FORMAT binary)";

static const char begin_sql[] =
		"CREATE TEMP TABLE bm_about (loid oid, sql text) ON COMMIT DROP;"
		"CREATE TEMP TABLE bm_page (loid oid, at bigint, data bytea) ON COMMIT DROP";

static const char put_sql[] =
		"SELECT count(lo_create(loid)) FROM pg_temp.bm_about;"
		"SELECT count(*) FROM (SELECT lo_put(loid, at, data) FROM pg_temp.bm_page"
		" OFFSET 0) p;"
		"DO $$ DECLARE part text; BEGIN"
		" FOR part IN SELECT p FROM pg_temp.bm_about, unnest(string_to_array(sql, chr(1))) p"
		"  WHERE p <> '' LOOP"
		"  BEGIN EXECUTE part;"
		"  EXCEPTION WHEN undefined_object OR insufficient_privilege THEN NULL; END;"
		" END LOOP; END $$";

static bool may_read_pages(PGconn *source)
{
	char *answer = bm_sql_value(
			source, "SELECT has_table_privilege('pg_largeobject', 'SELECT')", NULL);
	bool may = answer != NULL && answer[0] == 't';

	free(answer);
	return may;
}

/* The name of a role of the source as an expression: what it is called there. */
static char *mapped_name(const struct bm_role_rules *rules, const char *column)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	if (rules->names == NULL || rules->names[0] == NULL) {
		return bm_strdup(column);
	}
	bm_strbuf_printf(&sql, "CASE %s", column);
	for (const char *const *pair = rules->names; *pair != NULL; pair++) {
		char *old = bm_strndup(*pair, strcspn(*pair, "="));
		bm_strbuf_puts(&sql, " WHEN ");
		bm_quote_literal(&sql, old);
		bm_strbuf_puts(&sql, " THEN ");
		bm_quote_literal(&sql, bm_roles_map(rules, old));
		free(old);
	}
	bm_strbuf_printf(&sql, " ELSE %s END", column);
	return bm_strbuf_detach(&sql);
}

static char *about(const struct bm_role_rules *rules, const char *condition)
{
	char *owner = mapped_name(rules, "r.rolname");
	char *grantee = mapped_name(rules, "g.rolname");
	char *sql = bm_format(about_sql, owner, grantee, rules->drop_owners ? "false" : "true",
			rules->drop_grants ? "false" : "true", condition);

	free(owner);
	free(grantee);
	return sql;
}

int bm_large_objects_copy(
		struct bm_member *member, struct bm_chunk *chunk, struct bm_error *err)
{
	char *words = about(&member->transfer->options.roles, chunk->condition);
	char *pages = may_read_pages(member->source) ? bm_format(pages_sql, chunk->condition)
						     : bm_format(values_sql, chunk->condition);
	struct bm_relay_item items[] = {
			{.name = BM_LARGE_OBJECTS,
					.copy_out = words,
					.copy_in = "COPY pg_temp.bm_about FROM STDIN"},
			{.name = BM_LARGE_OBJECTS,
					.copy_out = pages,
					.copy_in = "COPY pg_temp.bm_page FROM STDIN (FORMAT binary)"},
	};
	int rc = bm_sql_do(member->destination, begin_sql, err);

	if (rc == 0) {
		rc = bm_relay_run(member->source, member->destination, items, 2,
				&member->transfer->pace, &member->flight->moved, err);
	}
	if (rc == 0) {
		rc = bm_sql_do(member->destination, put_sql, err);
	}
	chunk->rows = items[0].rows;
	chunk->bytes = items[1].bytes;
	free(words);
	free(pages);
	return rc == 0 ? 0 : bm_error_wrap(err, "copying large objects");
}
