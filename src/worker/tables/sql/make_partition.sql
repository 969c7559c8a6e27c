-- make_partition - on the follower; it belongs to whom its parent belongs, as far as we may say
-- so. On the destination it gets behind the fence, where there is one.
CREATE OR REPLACE FUNCTION bucardo_machine.make_partition(my_name text, my_parent text,
  my_bound text, my_fence boolean) RETURNS text LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms' AS $machine$
BEGIN
  IF to_regclass(my_name) IS NOT NULL THEN RETURN 'there'; END IF;
  IF to_regclass(my_parent) IS NULL THEN RETURN 'orphan'; END IF;
  EXECUTE 'CREATE TABLE ' || my_name || ' PARTITION OF ' || my_parent || ' ' || my_bound;
  BEGIN
    EXECUTE (SELECT format('ALTER TABLE %s OWNER TO %I', my_name, pg_get_userbyid(relowner))
      FROM pg_class WHERE oid = to_regclass(my_parent));
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  IF my_fence THEN PERFORM bucardo_machine.raise_fence(); END IF;
  RETURN 'made';
END $machine$
