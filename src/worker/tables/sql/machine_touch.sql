-- machine_touch - the rows of the next $2 blocks of a table as if they had just changed; NULL
-- while there are more, then how many rows it were. A row that leaves its block in between is
-- changed, so the trigger sees it; but a table in another file begins anew. Before version 14
-- a range of blocks costs a scan of all of them, so there each place of a block is named: a
-- row takes 28 bytes or more. What is kept as text is no business of casts (machine_key_type).
CREATE OR REPLACE FUNCTION bucardo.machine_touch(my_table text, my_blocks bigint)
  RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms'
  AS $machine$
DECLARE delta text; keys text; values_of text; places text; debt record; number bigint := 0; beyond bigint;
BEGIN
  SELECT n.deltaname INTO delta FROM bucardo.bucardo_delta_names n
    WHERE n.tablename = my_table LIMIT 1;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum), string_agg(CASE WHEN atttypid = 25
      THEN format('pg_catalog.format(''%%s'', %I)', attname) ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
    INTO keys, values_of FROM pg_attribute
    WHERE attrelid = to_regclass('bucardo.' || delta) AND attnum > 0 AND NOT attisdropped
    AND attname <> 'txntime';
  IF to_regclass(my_table) IS NOT NULL THEN
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', my_table);
  END IF;
  IF keys IS NULL OR NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass(my_table)
      AND relkind = 'r') THEN
    DELETE FROM bucardo.machine_touches WHERE tablename = my_table;
    RETURN 0;
  END IF;
  UPDATE bucardo.machine_touches SET block = 0, rows = 0, file = pg_relation_filenode(my_table)
    WHERE tablename = my_table AND file IS DISTINCT FROM pg_relation_filenode(my_table);
  SELECT * INTO debt FROM bucardo.machine_touches WHERE tablename = my_table;
  IF NOT FOUND THEN RETURN 0; END IF;
  IF current_setting('server_version_num')::int < 140000 THEN
    beyond := debt.block + least(my_blocks, 500);
    places := 'ctid = ANY (ARRAY(SELECT format(''(%%s,%%s)'', b, i)::tid FROM generate_series(%1$s, %2$s - 1) b, generate_series(1, %3$s / 28) i))';
  ELSE
    beyond := least(debt.block + my_blocks, 4294967295);
    places := 'ctid >= ''(%1$s,0)''::tid AND ctid < ''(%2$s,0)''::tid';
  END IF;
  EXECUTE format('INSERT INTO bucardo.%s (%s) SELECT %s FROM ONLY %s WHERE ', delta, keys, values_of,
    my_table) || format(places, debt.block, beyond, current_setting('block_size'));
  GET DIAGNOSTICS number = ROW_COUNT;
  number := number + debt.rows;
  IF beyond * current_setting('block_size')::bigint >= pg_relation_size(my_table) THEN
    DELETE FROM bucardo.machine_touches WHERE tablename = my_table;
    RETURN number;
  END IF;
  UPDATE bucardo.machine_touches SET block = beyond, rows = number WHERE tablename = my_table;
  RETURN NULL;
END $machine$
