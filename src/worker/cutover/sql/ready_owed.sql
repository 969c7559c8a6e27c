-- ready_owed - tables all of whose rows are still to be sent again (a change may have gone unseen), or will be, once
-- the watch has seen writes past their triggers (machine_capture_guard). What is
-- held without a reason is sent again only when a trigger that changes its rows twice is gone.
SELECT DISTINCT o.tablename, 'all its rows are being sent again: changes of it may have gone unseen',
	'it ends by itself; bucardo-machine status says how far it is'
FROM (SELECT t.tablename FROM bucardo.machine_touches t
	WHERE NOT (coalesce((to_jsonb(t)->>'held')::boolean, false) AND to_jsonb(t)->>'why' IS NULL)
	UNION ALL SELECT m.tablename FROM bucardo.machine_captured m
	JOIN (SELECT relation, count(*) AS notes FROM bucardo.machine_missed GROUP BY 1) x ON x.relation = to_regclass(m.tablename)
	WHERE x.notes <> coalesce((m.state->>'missed')::bigint, 0)) o
WHERE o.tablename IN (SELECT json_array_elements_text(current_setting('bucardo_machine.names')::json))
ORDER BY 1
