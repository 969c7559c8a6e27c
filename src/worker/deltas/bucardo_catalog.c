/* Three statements against schema bucardo, and the rows they give. */
#include "worker/deltas/bucardo_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"
#include "bucardo_machine/observation.h"

static const char dbs_sql[] =
#include "worker/deltas/sql/catalog_databases.sql.inc"
		;

/*
 * The flags lastgood, lastbad and lastempty are kept on the newest row of each
 * kind only, so that their partial indexes give one row. Failures need a scan,
 * once for all syncs. The title of the KID's session carries its process.
 */
static const char syncs_sql[] =
#include "worker/deltas/sql/catalog_syncs.sql.inc"
		;

static const char members_sql[] =
#include "worker/deltas/sql/catalog_members.sql.inc"
		;

static const char owner_sql[] =
		"SELECT c.system_identifier FROM pg_catalog.pg_control_system() c";

static bool is_true(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column)[0] == 't';
}

static int64_t number(const PGresult *rows, int row, int column)
{
	return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

static void read_db(const PGresult *rows, int i, struct bm_catalog_db *db)
{
	const struct bm_conninfo_row row = {
			.host = PQgetvalue(rows, i, 2),
			.port = PQgetvalue(rows, i, 3),
			.dbname = PQgetvalue(rows, i, 4),
			.user = PQgetvalue(rows, i, 5),
			.password = PQgetvalue(rows, i, 6),
			.service = PQgetvalue(rows, i, 7),
			.dbconn = PQgetvalue(rows, i, 8),
	};
	struct bm_error err = BM_ERROR_INIT;

	db->name = bm_strdup(PQgetvalue(rows, i, 0));
	db->is_source = is_true(rows, i, 1);
	bm_conninfo_build(&row, &db->info, &err);
	db->problem = bm_strdup(err.message);
}

static void read_sync(const PGresult *rows, int i, struct bm_catalog_sync *sync)
{
	sync->name = bm_strdup(PQgetvalue(rows, i, 0));
	sync->target = bm_strdup(PQgetvalue(rows, i, 1));
	sync->active = is_true(rows, i, 2);
	sync->autokick = is_true(rows, i, 3);
	sync->run_open = is_true(rows, i, 4);
	sync->run_age_msec = number(rows, i, 5);
	sync->run_status = bm_strdup(PQgetvalue(rows, i, 6));
	sync->good_age_msec = number(rows, i, 7);
	sync->bad_age_msec = number(rows, i, 8);
	sync->bad_text = bm_strdup(PQgetvalue(rows, i, 9));
	sync->recent_failures = (unsigned)number(rows, i, 10);
	sync->kid_pid = (pid_t)number(rows, i, 11);
	sync->conflicts = number(rows, i, 12);
	sync->applied_rows = number(rows, i, 13);
}

static struct bm_catalog_sync *find_sync(struct bm_catalog *catalog, const char *name)
{
	for (size_t i = 0; i < catalog->sync_count; i++) {
		if (strcmp(catalog->syncs[i].name, name) == 0) {
			return &catalog->syncs[i];
		}
	}
	return NULL;
}

static void add_member(struct bm_catalog *catalog, const PGresult *rows, int i)
{
	struct bm_catalog_sync *sync = find_sync(catalog, PQgetvalue(rows, i, 0));

	for (size_t db = 0; sync != NULL && db < catalog->db_count; db++) {
		if (strcmp(catalog->dbs[db].name, PQgetvalue(rows, i, 1)) == 0) {
			sync->members = bm_realloc(sync->members, sync->member_count + 1,
					sizeof(*sync->members));
			sync->members[sync->member_count++] = (struct bm_catalog_member){
					.db = db,
					.is_source = is_true(rows, i, 2),
					.backend_pid = (int)number(rows, i, 3)};
		}
	}
}

static void take_dbs(struct bm_catalog *catalog, const PGresult *rows)
{
	catalog->db_count = (size_t)PQntuples(rows);
	catalog->dbs = bm_alloc(catalog->db_count * sizeof(*catalog->dbs));
	for (int i = 0; i < PQntuples(rows); i++) {
		read_db(rows, i, &catalog->dbs[i]);
	}
}

static void take_syncs(struct bm_catalog *catalog, const PGresult *rows)
{
	catalog->sync_count = (size_t)PQntuples(rows);
	catalog->syncs = bm_alloc(catalog->sync_count * sizeof(*catalog->syncs));
	for (int i = 0; i < PQntuples(rows); i++) {
		read_sync(rows, i, &catalog->syncs[i]);
	}
}

static void take_owner(struct bm_catalog *catalog, const PGresult *rows)
{
	snprintf(catalog->owner, sizeof(catalog->owner), "%s", PQgetvalue(rows, 0, 0));
}

static void take_members(struct bm_catalog *catalog, const PGresult *rows)
{
	for (int i = 0; i < PQntuples(rows); i++) {
		add_member(catalog, rows, i);
	}
}

int bm_catalog_read(
		PGconn *conn, uint64_t limit_msec, struct bm_catalog *out, struct bm_error *err)
{
	char max_dbs[16], max_syncs[16];
	const struct {
		const char *what, *sql, *limit;
		void (*take)(struct bm_catalog *catalog, const PGresult *rows);
	} steps[] = {
			{"databases", dbs_sql, max_dbs, take_dbs},
			{"syncs", syncs_sql, max_syncs, take_syncs},
			{"members of syncs", members_sql, NULL, take_members},
			{"control cluster's identifier", owner_sql, NULL, take_owner},
	};

	*out = (struct bm_catalog){0};
	snprintf(max_dbs, sizeof(max_dbs), "%d", BM_OBSERVATION_MAX_DBS);
	snprintf(max_syncs, sizeof(max_syncs), "%d", BM_OBSERVATION_MAX_SYNCS);
	for (size_t i = 0; i < BM_COUNT_OF(steps); i++) {
		PGresult *rows = bm_ask(conn, steps[i].sql, steps[i].limit != NULL,
				&steps[i].limit, limit_msec, err);
		if (rows == NULL) {
			return bm_error_wrap(err, "reading the %s", steps[i].what);
		}
		steps[i].take(out, rows);
		PQclear(rows);
	}
	out->taken_msec = bm_clock_msec();
	return 0;
}

void bm_catalog_finish(struct bm_catalog *catalog)
{
	for (size_t i = 0; i < catalog->db_count; i++) {
		free(catalog->dbs[i].name);
		free(catalog->dbs[i].problem);
		bm_conninfo_finish(&catalog->dbs[i].info);
	}
	for (size_t i = 0; i < catalog->sync_count; i++) {
		free(catalog->syncs[i].name);
		free(catalog->syncs[i].target);
		free(catalog->syncs[i].run_status);
		free(catalog->syncs[i].bad_text);
		free(catalog->syncs[i].members);
	}
	free(catalog->dbs);
	free(catalog->syncs);
	*catalog = (struct bm_catalog){0};
}
