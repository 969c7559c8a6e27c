-- uncaptured - tables $1 (JSON: name, whether it could be captured) as they are on the side that becomes live: name, that,
-- whether it is absent, and its owner when that is a stranger: neither who owns it on the other side ($2: JSON, by name),
-- nor our role, a superuser, or one that owns a captured table here ($3: JSON with their names as keys).
SELECT t.key, t.value, to_regclass(t.key) IS NULL, (SELECT quote_ident(r.rolname) FROM pg_class c
	JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = to_regclass(t.key) AND NOT r.rolsuper
	AND r.rolname <> current_user AND r.rolname IS DISTINCT FROM $2::json->>t.key
	AND NOT EXISTS (SELECT 1 FROM json_object_keys($3::json) k(name) JOIN pg_class o ON o.oid = to_regclass(k.name)
		WHERE o.relowner = c.relowner))
FROM json_each_text($1::json) t ORDER BY 3 DESC, 1
