-- ready_owed - tables all of whose rows are still to be sent again (a change may have gone unseen). What is
-- held without a reason is sent again only when a trigger that changes its rows twice is gone.
SELECT t.tablename, 'all its rows are being sent again: changes of it may have gone unseen',
	'it ends by itself; bucardo-machine status says how far it is'
FROM bucardo.machine_touches t
WHERE NOT (coalesce((to_jsonb(t)->>'held')::boolean, false) AND to_jsonb(t)->>'why' IS NULL) AND t.tablename IN (SELECT json_array_elements_text(current_setting('bucardo_machine.names')::json))
ORDER BY 1
