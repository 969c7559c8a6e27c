-- machine_prepare - the tables that Bucardo would make itself: it takes what it finds. Its own
-- names for delta tables, as its function bucardo_tablename_maker() gives them; but types that
-- hold more (machine_key_type).
-- The txntime: real time to the millisecond; the rest tells transactions apart.
CREATE OR REPLACE FUNCTION bucardo.machine_prepare(my_tables json) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $machine$
DECLARE t json; joined text; delta text; keys text;
BEGIN
  FOR t IN SELECT * FROM json_array_elements(my_tables) LOOP
    joined := replace((t->>'schema') || '_' || (t->>'name'), '.', '_');
    IF length(joined) > 57 THEN
      joined := substr(joined, 1, 46) || '!' || substr(md5(joined), 1, 10);
    END IF;
    delta := format('bucardo.%I', 'delta_' || joined);
    IF to_regclass(delta) IS NULL THEN
      SELECT string_agg(format('%I %s', a.attname, bucardo.machine_key_type(a.atttypid)), ', '
        ORDER BY k.n) INTO keys FROM unnest(string_to_array(t->>'key', '|')) WITH ORDINALITY AS k(name, n)
        JOIN pg_attribute a ON a.attname = k.name AND a.attrelid =
          to_regclass(format('%I.%I', t->>'schema', t->>'name')) AND a.attnum > 0;
      EXECUTE format('CREATE TABLE %s (%s, txntime timestamptz)', delta, keys);
      EXECUTE format('ALTER TABLE %s ALTER txntime SET NOT NULL, REPLICA IDENTITY FULL', delta);
      EXECUTE 'ALTER TABLE ' || delta || ' ALTER txntime SET DEFAULT ' ||
        $stamp$(pg_catalog.date_trunc('milliseconds', pg_catalog.now()) + (pg_catalog.txid_current() % 1000) * interval '1 microsecond')$stamp$;
    END IF;
  END LOOP;
END $machine$
