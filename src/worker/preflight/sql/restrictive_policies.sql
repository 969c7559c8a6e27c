-- restrictive_policies - policies that take rows away, of which roles are missing on the destination: $1
-- is a JSON array of those roles; table, policy, the roles, whether none is left.
SELECT c.oid::regclass::text, quote_ident(p.polname), string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname),
  count(*) = cardinality(p.polroles)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_roles r ON r.oid = ANY (p.polroles)
WHERE NOT p.polpermissive AND r.rolname IN (SELECT json_array_elements_text($1::json))
AND c.oid <> ALL (current_setting('bucardo_machine.outside')::oid[])
GROUP BY c.oid, p.polname, p.polroles ORDER BY 1, 2
