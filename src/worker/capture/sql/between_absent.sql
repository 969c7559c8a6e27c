-- between_absent - which of the tables in $1, a list of {quoted, key}, are not there as tables of
-- their own, or lack a column of the key (its columns joined by a bar): the place in the list
-- from 0 on, and that column; NULL: the table.
SELECT t.n - 1, (SELECT string_agg(k.name, ', ' ORDER BY k.n)
    FROM unnest(string_to_array(t.one->>'key', '|')) WITH ORDINALITY AS k(name, n)
    WHERE c.oid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid
      AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped)) AS lacks
  FROM json_array_elements($1::json) WITH ORDINALITY AS t(one, n)
  LEFT JOIN pg_class c ON c.oid = to_regclass(t.one->>'quoted') AND c.relkind = 'r'
  WHERE c.oid IS NULL OR EXISTS (SELECT 1 FROM unnest(string_to_array(t.one->>'key', '|')) k(name)
    WHERE NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid
      AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped))
  ORDER BY 1
