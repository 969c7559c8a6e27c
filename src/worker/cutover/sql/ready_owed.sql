-- ready_owed - tables all of whose rows are still to be sent again (a change may have gone unseen).
SELECT t.tablename, 'all its rows are being sent again: changes of it may have gone unseen',
	'it ends by itself; bucardo-machine status says how far it is'
FROM bucardo.machine_touches t
WHERE t.tablename IN (SELECT json_array_elements_text(current_setting('bucardo_machine.names')::json))
ORDER BY 1
