-- stranger - the owner of table $1, on the side that follows, when it is neither of $2 (JSON; who owns it, or what it is a
-- partition of, on the other side), nor our role, a superuser, or one that owns a captured table here ($3: JSON with
-- their names as keys): a role that made a table of a name that was to come.
SELECT quote_ident(r.rolname) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.oid = to_regclass($1) AND r.rolname NOT IN (SELECT json_array_elements_text($2::json))
AND NOT r.rolsuper AND r.rolname <> current_user
AND NOT EXISTS (SELECT 1 FROM json_object_keys($3::json) k(name) JOIN pg_class o ON o.oid = to_regclass(k.name)
  WHERE o.relowner = c.relowner)
