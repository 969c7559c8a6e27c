-- machine_delta_rekey - a delta table for a key over other columns. What waits tells no rows of
-- the present key apart: it goes, and all rows are sent again (machine_follow says so). The txntime
-- is a column from before them, so nothing may write to the table without naming columns.
CREATE OR REPLACE FUNCTION bucardo.machine_delta_rekey(my_delta text, my_table oid, mine int2[])
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE drops text; adds text; keys text;
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS bucardo.%s', regexp_replace(my_delta, '^("?)delta_', '\1mpark_'));
  SELECT string_agg(format('DROP COLUMN %I', attname), ', ') INTO drops FROM pg_attribute
    WHERE attrelid = to_regclass('bucardo.' || my_delta) AND attnum > 0 AND NOT attisdropped
    AND attname <> 'txntime';
  SELECT string_agg(format('ADD COLUMN %I %s', a.attname, bucardo.machine_key_type(a.atttypid)), ', '
      ORDER BY m.n), string_agg(quote_ident(a.attname), ', ' ORDER BY m.n) INTO adds, keys
    FROM unnest(mine) WITH ORDINALITY AS m(num, n)
    JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = m.num;
  EXECUTE format('TRUNCATE bucardo.%s', my_delta);
  EXECUTE format('ALTER TABLE bucardo.%s %s', my_delta, drops);
  EXECUTE format('ALTER TABLE bucardo.%s %s', my_delta, adds);
  EXECUTE format('CREATE INDEX IF NOT EXISTS %s ON bucardo.%s (%s)',
    regexp_replace(my_delta, '^("?)delta_', '\1dex2_'), my_delta, keys);
END $machine$
