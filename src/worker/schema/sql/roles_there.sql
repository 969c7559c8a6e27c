-- roles_there - which of the names $1 (JSON) are roles, and whether we have their rights ($2: the kind).
SELECT n.name, quote_ident(n.name), r.oid IS NOT NULL,
coalesce(pg_has_role(r.oid, 'USAGE') AND pg_has_role(r.oid, $2::text), false)
FROM json_array_elements_text($1::json) WITH ORDINALITY n (name, place)
LEFT JOIN pg_roles r ON r.rolname = n.name ORDER BY n.place
