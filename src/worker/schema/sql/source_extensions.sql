-- source_extensions - $1 names of extensions to leave out, $2 the wanted versions (`versions:`) as
-- JSON; on the source: name, version there, whether it is left out, the version that is wanted,
-- NULL: any.
SELECT e.extname, e.extversion, e.extname = ANY ($1::text[]),
(SELECT CASE v->>'version' WHEN 'source' THEN e.extversion ELSE v->>'version' END
 FROM json_array_elements($2::json) v WHERE v->>'name' = e.extname)
FROM pg_extension e ORDER BY 1
