-- ready_publications - publications FOR ALL TABLES: what has no replica identity refuses each UPDATE and
-- DELETE, ours too.
SELECT 'publication ' || quote_ident(p.pubname), 'it is FOR ALL TABLES, and ' || t.count ||
	' tables have no replica identity (' || t.names || '): the marks of what is carried would be refused',
	'ALTER TABLE ' || t.first || ' REPLICA IDENTITY FULL'
FROM pg_publication p, (SELECT count(*), min(c.oid::regclass::text) AS first,
	left(string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text), 200) AS names
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND (n.nspname IN ('bucardo', 'bucardo_machine')
		OR c.oid = ANY (current_setting('bucardo_machine.tables')::oid[]))
	AND (c.relreplident = 'n' OR (c.relreplident = 'd' AND NOT EXISTS (SELECT 1 FROM pg_index i
		WHERE i.indrelid = c.oid AND i.indisprimary)))) t
WHERE p.puballtables AND (p.pubupdate OR p.pubdelete) AND t.count > 0 ORDER BY 1
