/* The functions of the fence; they live with the ledger, in schema bucardo_machine. */
#include "transfer/fence.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"

/* clang-format off */
#define TABLES(condition) \
	"SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c" \
	"  JOIN pg_namespace n ON n.oid = c.relnamespace" \
	"  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'" \
	"  AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')" \
	"  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass" \
	"   AND d.objid = c.oid AND d.deptype = 'e')" \
	"  AND " condition " (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid" \
	"   AND g.tgname = 'bucardo_machine_fence')"

/*
 * As its owner: who writes may not read schema bucardo_machine. It asks whether the fence
 * is lifted, so that lifting takes effect at once, whatever locks the tables.
 */
static const char refuse_function[] =
"CREATE OR REPLACE FUNCTION bucardo_machine.refuse_write() RETURNS trigger"
" LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $machine$ "
"BEGIN "
" IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN "
"  RETURN NULL; "
" END IF; "
" RAISE EXCEPTION 'bucardo-machine refuses % on %: this database is the destination of a"
" migration that was not cut over yet', TG_OP, format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)"
"  USING ERRCODE = 'read_only_sql_transaction',"
"  DETAIL = 'Its rows come from the source until then; what is written here would be overwritten,"
" or be carried back to the source.',"
"  HINT = 'Write to the source. At the cut-over, as the owner of the tables: SELECT"
" bucardo_machine.lift_fence()'; "
"END $machine$";

static const char raise_function[] =
"CREATE OR REPLACE FUNCTION bucardo_machine.raise_fence(again boolean DEFAULT false) RETURNS text"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '500ms' AS $machine$ "
"DECLARE t record; done bigint := 0; failed text := ''; "
"BEGIN "
" IF again THEN "
"  UPDATE bucardo_machine.fence SET lifted = NULL, lifted_by = NULL; "
" END IF; "
" IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN "
"  RETURN 'the fence was lifted; SELECT bucardo_machine.raise_fence(true) raises it again'; "
" END IF; "
" FOR t IN " TABLES("NOT EXISTS") " ORDER BY 1 LOOP "
"  BEGIN "
"   EXECUTE 'CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON '"
"    || t.name || ' FOR EACH STATEMENT EXECUTE PROCEDURE bucardo_machine.refuse_write()'; "
"   done := done + 1; "
"  EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN "
"   failed := failed || ', ' || t.name || ' (' || SQLERRM || ')'; "
"  END; "
" END LOOP; "
" RETURN format('the fence stands, %s tables are new behind it', done)"
"  || CASE WHEN failed = '' THEN '' ELSE '; not behind it: ' || substr(failed, 3) END; "
"END $machine$";

/* Triggers that cannot be had now stay, and refuse nothing. */
static const char lift_function[] =
"CREATE OR REPLACE FUNCTION bucardo_machine.lift_fence() RETURNS text"
" LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '100ms' AS $machine$ "
"DECLARE t record; missed int := 0; "
"BEGIN "
" UPDATE bucardo_machine.fence SET lifted = coalesce(lifted, now()),"
"  lifted_by = coalesce(lifted_by, session_user); "
" FOR t IN " TABLES("EXISTS") " ORDER BY 1 LOOP "
"  BEGIN "
"   EXECUTE 'DROP TRIGGER bucardo_machine_fence ON ' || t.name; "
"  EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_object THEN "
"   missed := missed + 1; "
"   EXIT WHEN missed >= 10; "
"  END; "
" END LOOP; "
" RETURN 'the fence is lifted' || CASE WHEN missed = 0 THEN '' ELSE '; some of its triggers are"
" still there and refuse nothing, call this again to drop them' END; "
"END $machine$";

static const char *const steps[] = {
	"CREATE TABLE IF NOT EXISTS bucardo_machine.fence (lifted timestamptz, lifted_by text)",
	"INSERT INTO bucardo_machine.fence SELECT NULL, NULL"
	" WHERE NOT EXISTS (SELECT 1 FROM bucardo_machine.fence)",
	refuse_function, raise_function, lift_function,
};
/* clang-format on */

int bm_fence_raise(struct bm_transfer *t, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(steps); i++) {
		if (bm_sql_do(t->control, steps[i], err) != 0) {
			return bm_error_wrap(err, "preparing the fence on the destination");
		}
	}
	char *answer = bm_sql_value(t->control, "SELECT bucardo_machine.raise_fence()", err);
	if (answer == NULL) {
		return bm_error_wrap(err, "raising the fence on the destination");
	}
	if (strstr(answer, "not behind it") != NULL) {
		bm_transfer_note(t, "%s", answer);
	}
	free(answer);
	return 0;
}
