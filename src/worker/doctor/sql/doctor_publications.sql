-- doctor_publications - publications FOR ALL TABLES, and which tables of Bucardo's, ours or captured ones have no
-- replica identity: their UPDATE and DELETE are refused.
SELECT quote_ident(p.pubname) AS publication, t.bare, coalesce(t.names, '') AS names,
	coalesce('ALTER TABLE ' || t.first || ' REPLICA IDENTITY FULL', '') AS cure
FROM pg_publication p, (SELECT count(*)::int AS bare, min(c.oid::regclass::text) AS first,
	left(string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text), 200) AS names
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND (n.nspname IN ('bucardo', 'bucardo_machine')
		OR c.oid = ANY (current_setting('bucardo_machine.tables')::oid[]))
	AND (c.relreplident = 'n' OR (c.relreplident = 'd' AND NOT EXISTS (SELECT 1 FROM pg_index i
		WHERE i.indrelid = c.oid AND i.indisprimary)))) t
WHERE p.puballtables AND (p.pubupdate OR p.pubdelete) ORDER BY 1
