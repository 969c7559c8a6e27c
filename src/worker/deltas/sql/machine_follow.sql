-- machine_follow - what this side keeps of its captured tables is brought in line with them: delta
-- and deferred tables have the columns of the key by their present names and in types that hold
-- them, and the name of their table; the trigger's function is made anew, since sessions that
-- have fired it remember types. With $1 false it only says what it would do, else it does it for the
-- table $2 alone: nobody shall wait for the locks of another one.
-- Which column is meant tells its number, which table its oid (machine_keys): both survive a new
-- name. Where those columns are no key any more, the present key takes their place. Then, and
-- with a type that is no wider one of the same family, changes may have gone unseen: `again`.
-- What is busy is left for the next time (event 'busy'), and so is what failed ('failed'): the
-- others go on.
CREATE OR REPLACE FUNCTION bucardo.machine_follow(my_doing boolean, my_name text)
  RETURNS TABLE (tablename text, event text, was text, now_is text, again boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms'
  AS $machine$
DECLARE n record; wish record;
BEGIN
  PERFORM bucardo.machine_know();
  -- What can have changed shows in rows of the catalog: a pass costs little where nothing did,
  -- and the first ones look at some tables each.
  FOR n IN SELECT x.* FROM (SELECT m.*, quote_ident(s.nspname) || '.' || quote_ident(c.relname) AS called,
      concat_ws('; ', s.nspname, c.relname,
        (SELECT string_agg(a.attnum || ' ' || a.xmin, ',' ORDER BY a.attnum) FROM pg_attribute a
          WHERE a.attrelid = m.relation AND a.attnum = ANY (m.columns)),
        (SELECT string_agg(i.indexrelid || ' ' || i.xmin, ',' ORDER BY i.indexrelid) FROM pg_index i
          WHERE i.indrelid = m.relation)) AS found
    FROM bucardo.machine_keys m JOIN pg_class c ON c.oid = m.relation
    JOIN pg_namespace s ON s.oid = c.relnamespace) x
    WHERE x.mark IS DISTINCT FROM x.found AND (NOT my_doing OR x.name = my_name) ORDER BY x.mark IS NULL, x.name LIMIT 200 LOOP
    tablename := n.name; again := false; event := NULL;
    BEGIN
      IF n.name <> n.called AND to_regclass(n.name) IS NULL THEN
        tablename := n.called; event := 'renamed'; was := n.name; now_is := n.called;
        IF my_doing THEN PERFORM bucardo.machine_rename_table(n.name, n.called, n.relation); END IF;
        RETURN NEXT;
        CONTINUE WHEN NOT my_doing;
        n.name := n.called;
      END IF;
      -- Until then all writes to the table have to be sent again, so it may cost more to have the lock.
      IF my_doing THEN PERFORM set_config('lock_timeout', '1s', true); END IF;
      SELECT * INTO wish FROM bucardo.machine_follow_key(n.name, n.relation, n.columns, n.seen, my_doing) f;
      IF wish.event IS NOT NULL THEN
        event := wish.event; was := wish.was; now_is := wish.now_is; again := wish.again;
        RETURN NEXT;
      END IF;
      IF event IS NULL THEN
        UPDATE bucardo.machine_keys m SET mark = n.found WHERE m.name = n.name;
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      event := 'busy'; was := SQLERRM; now_is := NULL; again := false; RETURN NEXT;
    WHEN OTHERS THEN
      event := 'failed'; was := SQLERRM; now_is := NULL; again := false; RETURN NEXT;
    END;
  END LOOP;
END $machine$
