-- strangers - of the tables $1 (JSON: names as keys) those that a stranger owns here: a JSON object, name -> role and
-- who owns it on the live side. $2: owners there (owners.sql); $3: captured tables (JSON: names as keys).
SELECT coalesce(json_object_agg(k.name, json_build_object('role', quote_ident(r.rolname),
  'owner', coalesce(quote_ident($2::json->k.name->>0), '?'))), '{}')
FROM json_object_keys($1::json) k(name) JOIN pg_class c ON c.oid = to_regclass(k.name)
JOIN pg_roles r ON r.oid = c.relowner AND NOT r.rolsuper AND r.rolname <> current_user
WHERE r.rolname NOT IN (SELECT json_array_elements_text(coalesce($2::json->k.name, '[]')))
AND NOT EXISTS (SELECT 1 FROM json_object_keys($3::json) o(name) JOIN pg_class a ON a.oid = to_regclass(o.name)
  WHERE a.relowner = c.relowner)
