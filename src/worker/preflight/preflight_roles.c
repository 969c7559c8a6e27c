/* Which owners and grants would not come along, by the statements that phase schema asks. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/json.h"
#include "bucardo_machine/roles.h"
#include "worker/preflight/preflight.h"

struct look {
	struct bm_phase *phase;
	bm_preflight_find *find;
	void *ctx;
	const PGresult *used, *there;
	char us[200]; /* our role on the destination, quoted */
	bool may_create, is_superuser;
};

static void find_missing(struct look *look, int row)
{
	const struct bm_role_rules *rules = &look->phase->request.roles;
	const char *quoted = PQgetvalue(look->there, row, 1);
	bool makes = rules->create &&
			PQgetvalue(look->used, row, BM_ROLE_SUPERUSER)[0] != 't' &&
			strncmp(quoted, "pg_", 3) != 0;
	char why[700], hint[700];

	if (makes && look->may_create) {
		look->find(look->ctx, BM_SEVERITY_NOTE, quoted,
				"the destination has no such role: it is made there, without LOGIN and "
				"password",
				"ALTER ROLE ... LOGIN PASSWORD afterwards, if it has to log in");
		return;
	}
	snprintf(why, sizeof(why),
			"the destination has no such role: what it owns belongs to %s there, and what "
			"is granted to it is left out (objects concerned: %s)",
			look->us, PQgetvalue(look->used, row, BM_ROLE_OBJECTS));
	if (makes) {
		snprintf(hint, sizeof(hint), "ALTER ROLE %s CREATEROLE, for create_roles",
				look->us);
	} else {
		snprintf(hint, sizeof(hint),
				"on the destination: CREATE ROLE %s; or in machine.yaml: roles, "
				"create_roles, or owners and grants: drop",
				quoted);
	}
	look->find(look->ctx, BM_SEVERITY_DEGRADES, quoted, why, hint);
}

static void find_foreign(struct look *look, int row)
{
	const char *quoted = PQgetvalue(look->there, row, 1);
	char why[700], hint[700];

	snprintf(why, sizeof(why),
			"%s is no member of it on the destination, and may not make it an owner: what "
			"it owns belongs to %s there",
			look->us, look->us);
	snprintf(hint, sizeof(hint), "GRANT %s TO %s", quoted, look->us);
	look->find(look->ctx, BM_SEVERITY_NOTE, quoted, why, hint);
}

static bool is_used(const PGresult *used, const char *pair)
{
	size_t length = strcspn(pair, "=");

	for (int row = 0; row < PQntuples(used); row++) {
		const char *name = PQgetvalue(used, row, BM_ROLE_NAME);
		if (strlen(name) == length && strncmp(name, pair, length) == 0) {
			return true;
		}
	}
	return false;
}

/* clang-format off */
static const char policies_sql[] =
#include "worker/preflight/sql/restrictive_policies.sql.inc"
;
static const char definers_sql[] =
#include "worker/preflight/sql/definers.sql.inc"
;
/* clang-format on */

/* The roles of the source that the destination will not have, as a JSON array; new. */
static char *missing_list(const struct look *look)
{
	const struct bm_role_rules *rules = &look->phase->request.roles;
	json_t *names = json_array();

	for (int row = 0; row < PQntuples(look->used); row++) {
		bool made = rules->create && look->may_create &&
				PQgetvalue(look->used, row, BM_ROLE_SUPERUSER)[0] != 't';
		if (PQgetvalue(look->there, row, 2)[0] != 't' && !made) {
			json_array_append_new(names,
					bm_json_text(PQgetvalue(
							look->used, row, BM_ROLE_NAME)));
		}
	}
	char *list = json_dumps(names, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(names);
	return list;
}

/* A policy that takes rows away is left out where its roles are missing. */
static int find_policies(struct look *look, struct bm_error *err)
{
	char *missing = missing_list(look);
	PGresult *rows = bm_phase_ask(look->phase, BM_SIDE_SOURCE, policies_sql, 1,
			(const char *const *)&missing, err);
	char object[400], why[700], hint[700];

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		const char *roles = PQgetvalue(rows, row, 2);
		snprintf(object, sizeof(object), "policy %s on %s", PQgetvalue(rows, row, 1),
				PQgetvalue(rows, row, 0));
		snprintf(why, sizeof(why),
				"it is RESTRICTIVE, and the destination does not have %s of its roles "
				"(%s): it is %s, and the rows that it hides would be seen by such a role",
				PQgetvalue(rows, row, 3)[0] == 't' ? "any" : "some", roles,
				PQgetvalue(rows, row, 3)[0] == 't' ? "left out"
								   : "made without them");
		snprintf(hint, sizeof(hint),
				"on the destination, before the migration: CREATE ROLE %s; or map it "
				"(roles in machine.yaml), or create_roles: true",
				roles);
		look->find(look->ctx, BM_SEVERITY_DEGRADES, object, why, hint);
	}
	PQclear(rows);
	free(missing);
	return rows != NULL ? 0 : -1;
}

/* What would run with the rights of our role there, for whoever may call it. */
static int find_definers(struct look *look, struct bm_error *err)
{
	char *missing = missing_list(look);
	PGresult *rows = bm_phase_ask(look->phase, BM_SIDE_SOURCE, definers_sql, 1,
			(const char *const *)&missing, err);
	char object[400], why[900], hint[500];

	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		const char *role = PQgetvalue(rows, row, 0);
		bool routines = PQgetvalue(rows, row, 1)[0] == 't';
		snprintf(object, sizeof(object), "%s of %s",
				routines ? "SECURITY DEFINER" : "views", role);
		snprintf(why, sizeof(why),
				"the destination has no such role, so %s (%s in all) would %s with the "
				"rights of %s there%s, for everybody who may %s",
				PQgetvalue(rows, row, 3), PQgetvalue(rows, row, 2),
				routines ? "run" : "read", look->us,
				look->is_superuser ? ", a superuser" : "",
				routines ? "call it" : "read it");
		snprintf(hint, sizeof(hint),
				"on the destination, before the migration: CREATE ROLE %s; or map it (roles "
				"in machine.yaml), or create_roles: true",
				role);
		look->find(look->ctx,
				routines && look->is_superuser ? BM_SEVERITY_STOPS
							       : BM_SEVERITY_DEGRADES,
				object, why, hint);
	}
	PQclear(rows);
	free(missing);
	return rows != NULL ? 0 : -1;
}

static void walk(struct look *look)
{
	const struct bm_role_rules *rules = &look->phase->request.roles;

	for (const char *const *pair = rules->names; pair != NULL && *pair != NULL; pair++) {
		if (!is_used(look->used, *pair)) {
			look->find(look->ctx, BM_SEVERITY_DEGRADES, *pair,
					"no such role owns anything on the source, or is granted "
					"anything",
					"correct roles in machine.yaml");
		}
	}
	for (int row = 0; row < PQntuples(look->used); row++) {
		bool owns = strcmp(PQgetvalue(look->used, row, BM_ROLE_OWNED), "0") != 0;
		bool counts = strcmp(PQgetvalue(look->used, row, BM_ROLE_OBJECTS), "0") != 0;
		bool there = PQgetvalue(look->there, row, 2)[0] == 't';
		bool may_own = PQgetvalue(look->there, row, 3)[0] == 't';
		if (!there && counts && !(rules->drop_owners && rules->drop_grants)) {
			find_missing(look, row);
		} else if (there && owns && !may_own && !rules->drop_owners) {
			find_foreign(look, row);
		}
	}
}

/* What there is at the destination of `used`; fills in who we are there. */
static PGresult *ask_there(struct look *look, const PGresult *used, struct bm_error *err)
{
	PGresult *us = bm_phase_ask(look->phase, BM_SIDE_DESTINATION,
			"SELECT quote_ident(rolname), rolsuper OR rolcreaterole, rolsuper FROM pg_roles"
			" WHERE rolname = current_user",
			0, NULL, err);
	if (us == NULL) {
		return NULL;
	}
	snprintf(look->us, sizeof(look->us), "%s", PQgetvalue(us, 0, 0));
	look->may_create = PQgetvalue(us, 0, 1)[0] == 't';
	look->is_superuser = PQgetvalue(us, 0, 2)[0] == 't';
	PQclear(us);
	char *list = bm_roles_list(&look->phase->request.roles, used);
	const char *const params[] = {list,
			bm_roles_right(PQserverVersion(
					look->phase->conns[BM_SIDE_DESTINATION]))};
	PGresult *there = bm_phase_ask(
			look->phase, BM_SIDE_DESTINATION, bm_roles_there_sql, 2, params, err);
	free(list);
	return there;
}

int bm_preflight_roles(struct bm_phase *phase, bm_preflight_find *find, void *ctx,
		struct bm_error *err)
{
	struct look look = {.phase = phase, .find = find, .ctx = ctx};
	PGresult *used = bm_phase_ask(phase, BM_SIDE_SOURCE, bm_roles_used_sql, 0, NULL, err);
	PGresult *there = used == NULL ? NULL : ask_there(&look, used, err);

	if (there != NULL) {
		look.used = used;
		look.there = there;
		walk(&look);
	}
	int rc = there != NULL ? find_policies(&look, err) : -1;
	rc = rc == 0 && !phase->request.roles.drop_owners ? find_definers(&look, err) : rc;
	PQclear(used);
	PQclear(there);
	return rc == 0 ? 0 : bm_error_wrap(err, "looking at the roles");
}
