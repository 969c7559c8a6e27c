/* Some large objects over to the other side, in the transactions of a pass. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/objects/internal.h"
#include "worker/session/ask.h"
#include "worker/session/pipeline.h"
#include "worker/session/relay.h"
#include "worker/transfer/large_objects.h"

/* clang-format off */
/* Those that are gone go; of those that are there only the bytes do. */
static const char replace_sql[] =
"SELECT count(lo_unlink(m.oid)) FROM pg_largeobject_metadata m WHERE m.oid = ANY ('%s'::oid[])"
" AND NOT EXISTS (SELECT 1 FROM pg_temp.bm_about a WHERE a.loid = m.oid);"
"SELECT count(lo_truncate(lo_open(m.oid, 131072), 0)) FROM pg_largeobject_metadata m JOIN pg_temp.bm_about a"
" ON a.loid = m.oid;"
"DELETE FROM pg_temp.bm_about a USING pg_largeobject_metadata m WHERE m.oid = a.loid;";

static const char told_sql[] = "SELECT string_agg(DISTINCT what, '; ') FROM pg_temp.bm_told";
static const char end_sql[] =
"DROP TABLE pg_temp.bm_about, pg_temp.bm_page, pg_temp.bm_told, pg_temp.bm_renamed, pg_temp.bm_rules;"
"DROP TABLE IF EXISTS pg_temp.bm_grant";
/* clang-format on */

/* ---- the rules for roles ---- */

/* "new=old" for each "old=new"; free() each, and the list. */
static char **turned(const char *const *names)
{
	size_t count = 0;

	while (names != NULL && names[count] != NULL) {
		count++;
	}
	char **list = bm_alloc((count + 1) * sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		const char *equals = strchr(names[i], '=');
		list[i] = equals != NULL ? bm_format("%s=%.*s", equals + 1,
							   (int)(equals - names[i]), names[i])
					 : bm_strdup(names[i]);
	}
	list[count] = NULL;
	return list;
}

static int begin(struct bm_objects_pass *p, struct bm_error *err)
{
	struct bm_role_rules rules = *p->o->roles;
	struct bm_strbuf sql = BM_STRBUF_INIT;
	char **back = turned(rules.names);

	rules.names = p->o->is_back ? (const char *const *)back : rules.names;
	bm_large_objects_begin_sql(&rules, &sql);
	int rc = bm_objects_script(p, p->o->to, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	for (size_t i = 0; back[i] != NULL; i++) {
		free(back[i]);
	}
	free(back);
	return rc;
}

/* ---- over ---- */

static int relay(struct bm_objects_pass *p, const char *condition, struct bm_error *err)
{
	char *about = bm_large_objects_about_sql(condition);
	char *pages = bm_large_objects_pages_sql(condition, true);
	struct bm_relay_item items[] = {
			{.name = BM_LARGE_OBJECTS,
					.copy_out = about,
					.copy_in = "COPY pg_temp.bm_about FROM STDIN"},
			{.name = BM_LARGE_OBJECTS,
					.copy_out = pages,
					.copy_in = "COPY pg_temp.bm_page FROM STDIN (FORMAT binary)"},
	};
	int rc = bm_relay_run_until(p->o->from, p->o->to, items, 2, p->deadline_msec, err);

	if (rc != 0) { /* in the middle of something */
		bm_pipeline_cut(p->o->from);
		bm_pipeline_cut(p->o->to);
	}
	free(about);
	free(pages);
	return rc;
}

static int end(struct bm_objects_pass *p, struct bm_error *err)
{
	PGresult *rows = bm_ask(p->o->to, told_sql, 0, NULL, 10000, err);

	if (rows != NULL && !PQgetisnull(rows, 0, 0)) {
		snprintf(p->told, sizeof(p->told), "%s", PQgetvalue(rows, 0, 0));
	}
	PQclear(rows);
	return rows != NULL ? bm_objects_script(p, p->o->to, end_sql, err) : -1;
}

int bm_objects_copy(struct bm_objects_pass *p, const char *oids, struct bm_error *err)
{
	char *condition = bm_format("m.oid = ANY ('%s'::oid[])", oids);
	char *replace = bm_format(replace_sql, oids);
	int rc = begin(p, err);

	rc = rc == 0 ? relay(p, condition, err) : -1;
	rc = rc == 0 ? bm_objects_script(p, p->o->to, replace, err) : -1;
	rc = rc == 0 ? bm_objects_script(p, p->o->to, bm_large_objects_put_sql, err) : -1;
	rc = rc == 0 ? bm_objects_script(p, p->o->to, bm_large_objects_finish_sql, err) : -1;
	rc = rc == 0 ? end(p, err) : -1;
	free(condition);
	free(replace);
	return rc == 0 ? 0 : bm_error_wrap(err, "copying %.60s again", oids);
}
