-- touched_key - $1 a table that is sent again: columns of its key in the order of its delta table
-- as JSON, and how far the follower's rows were read. On the live side.
SELECT (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = (SELECT to_regclass('bucardo.' || n.deltaname)
  FROM bucardo.bucardo_delta_names n WHERE n.tablename = t.tablename LIMIT 1)
 AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'txntime'),
t.follower_file, t.follower_block, t.rows FROM bucardo.machine_touches t WHERE t.tablename = $1
