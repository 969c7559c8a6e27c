-- verify_send - the statement that writes keys of table $1 into its delta table here, with the stamp that is its
-- default, as a trigger would: a parameter for each column, an array of the type that the delta table keeps, so
-- that each text is read by the type's input function and no cast of anybody is asked. And whether the table
-- has a unique or exclusion constraint beside its key.
SELECT format('INSERT INTO bucardo.%s (%s) SELECT * FROM unnest(%s)', d.deltaname,
    string_agg(quote_ident(d.attname), ', ' ORDER BY d.place),
    string_agg(format('$%s::%s[]', d.place, format_type(d.atttypid, -1)), ', ' ORDER BY d.place)),
  (SELECT count(*) > 1 FROM pg_index i WHERE i.indrelid = to_regclass($1) AND (i.indisunique OR i.indisexclusion))
FROM (SELECT n.deltaname, a.attname, a.atttypid, row_number() OVER (ORDER BY a.attnum) AS place
  FROM (SELECT min(b.deltaname) AS deltaname FROM bucardo.bucardo_delta_names b WHERE b.tablename = $1) n
  JOIN pg_attribute a ON a.attrelid = to_regclass('bucardo.' || n.deltaname) AND a.attnum > 0
  AND NOT a.attisdropped AND a.attname <> 'txntime') d
GROUP BY d.deltaname
