-- ready_fence - whether the destination's fence stands ($1: cutover) or is lifted ($1: failback), and
-- all captured tables are behind it.
SELECT CASE WHEN f.is_there AND f.is_lifted = ($1 = 'failback') AND (f.is_lifted OR bare.count = 0) THEN 'ready'
	ELSE 'not_ready' END,
	CASE WHEN NOT f.is_there THEN 'none' WHEN f.is_lifted THEN 'lifted' ELSE 'up' END,
	CASE WHEN NOT f.is_there THEN 'the destination has no fence any more, so that an application may write there'
		WHEN f.is_lifted AND $1 = 'cutover' THEN 'the destination is the live side already'
		WHEN NOT f.is_lifted AND $1 = 'failback' THEN 'the source is the live side: there is nothing to fail back from'
		WHEN NOT f.is_lifted AND bare.count > 0 THEN bare.count || ' tables are not behind the fence: ' || bare.names
		ELSE '' END,
	CASE WHEN NOT f.is_there THEN 'CREATE TABLE bucardo_machine.fence (lifted timestamptz, lifted_by text) on the destination wishes for one'
		WHEN f.is_lifted AND $1 = 'cutover' THEN 'bucardo-machine failback ' || current_setting('bucardo_machine.migration') || ' goes back'
		WHEN NOT f.is_lifted AND $1 = 'failback' THEN 'bucardo-machine cutover ' || current_setting('bucardo_machine.migration')
		WHEN NOT f.is_lifted AND bare.count > 0 THEN 'on the destination: SELECT bucardo_machine.raise_fence()' ELSE '' END
FROM (SELECT count(*) > 0 AS is_there, count(lifted) > 0 AS is_lifted FROM bucardo_machine.fence) f,
	(SELECT count(*), left(string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text), 200) AS names
	FROM pg_class c WHERE c.oid = ANY (current_setting('bucardo_machine.tables')::oid[])
	AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_machine_fence'
		AND t.tgenabled <> 'D')) bare
