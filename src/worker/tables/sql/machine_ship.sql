-- machine_ship - keys that the other side has and this one has not, byte for byte, as if they had
-- just changed: rows that were deleted unseen vanish there. $2 an array's text for each column of
-- the key, which is read in the types of the table, of a domain what it stands for: its checks are
-- somebody's functions and would run with our rights. They are constants of the statement, which no cast is
-- asked about, and what is kept as text is written by format(), for the same reason; $3 the other side's file, $4 the block that
-- comes next, NULL when those were the last.
CREATE OR REPLACE FUNCTION bucardo.machine_ship(my_table text, my_keys text[], my_file oid,
  my_next bigint) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
  SET lock_timeout = '300ms' AS $machine$
DECLARE delta text; names text; here text; there text; written text; lists text; equal text; number bigint;
  total bigint;
BEGIN
  SELECT n.deltaname INTO delta FROM bucardo.bucardo_delta_names n
    WHERE n.tablename = my_table LIMIT 1;
  SELECT string_agg(q, ', ' ORDER BY i), string_agg(format('t.%s::%s', q, kind), ', ' ORDER BY i),
      string_agg('s.' || q, ', ' ORDER BY i),
      string_agg(CASE WHEN is_text THEN format('pg_catalog.format(''%%s'', s.%s)', q) ELSE 's.' || q END, ', ' ORDER BY i),
      string_agg(format('%L::%s[]', my_keys[i], kind), ', ' ORDER BY i),
      string_agg(format('t.%s OPERATOR(%I.%s) s.%1$s', q, o.nspname, o.oprname), ' AND ' ORDER BY i)
        FILTER (WHERE o.oprname IS NOT NULL)
    INTO names, here, there, written, lists, equal
    FROM (SELECT row_number() OVER (ORDER BY a.attnum) AS i, quote_ident(a.attname) AS q, a.attname, a.atttypid = 25 AS is_text,
        format_type(base.oid, -1) AS kind FROM pg_attribute a
      LEFT JOIN pg_attribute b ON b.attrelid = to_regclass(my_table) AND b.attname = a.attname
        AND b.attnum > 0 AND NOT b.attisdropped
      LEFT JOIN LATERAL (WITH RECURSIVE up AS (SELECT y.oid, y.typbasetype FROM pg_type y WHERE y.oid = b.atttypid
          UNION ALL SELECT y.oid, y.typbasetype FROM up JOIN pg_type y ON y.oid = up.typbasetype)
        SELECT up.oid FROM up WHERE up.typbasetype = 0) base ON true
      WHERE a.attrelid = to_regclass('bucardo.' || delta) AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attname <> 'txntime') k
    LEFT JOIN LATERAL (SELECT n.nspname, op.oprname FROM pg_index x
      CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS u(num, place)
      JOIN pg_attribute c ON c.attrelid = x.indrelid AND c.attnum = u.num AND c.attname = k.attname
      JOIN pg_opclass oc ON oc.oid = x.indclass[(u.place - 1)::int]
      JOIN pg_amop m ON m.amopfamily = oc.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype
      JOIN pg_operator op ON op.oid = m.amopopr JOIN pg_namespace n ON n.oid = op.oprnamespace
      WHERE x.indrelid = to_regclass(my_table) AND x.indisunique AND x.indisvalid
      AND u.place <= x.indnkeyatts ORDER BY x.indisprimary DESC LIMIT 1) o ON true;
  IF names IS NULL OR NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass(my_table) AND relkind = 'r') THEN
    DELETE FROM bucardo.machine_touches WHERE tablename = my_table;
    RETURN 0;
  END IF;
  EXECUTE format('INSERT INTO bucardo.%1$s (%2$s) SELECT %8$s FROM unnest(%4$s) AS s(%2$s)
      WHERE NOT EXISTS (SELECT 1 FROM ONLY %5$s t WHERE %6$s
        ROW(%7$s)::record OPERATOR(pg_catalog.*=) ROW(%3$s)::record)',
    delta, names, there, lists, my_table, coalesce(equal || ' AND', ''), here, written);
  GET DIAGNOSTICS number = ROW_COUNT;
  UPDATE bucardo.machine_touches SET follower_file = my_file, follower_block = my_next,
    shipped = my_next IS NULL,
    gone = CASE WHEN follower_file IS DISTINCT FROM my_file THEN 0 ELSE gone END + number
    WHERE tablename = my_table RETURNING gone INTO total;
  RETURN coalesce(total, 0);
END $machine$
