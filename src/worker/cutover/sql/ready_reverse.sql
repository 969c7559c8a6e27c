-- ready_reverse - captured tables of the other side whose changes nobody captures here: what is written
-- after the cut-over would not go back.
SELECT name, CASE WHEN to_regclass(name) IS NULL THEN 'this side does not have it'
	ELSE 'its changes are not captured here, so there would be no way back' END,
	'bucardo-machine status names what keeps it from being captured'
FROM json_array_elements_text(current_setting('bucardo_machine.names')::json) name
WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = to_regclass(name)
	AND t.tgname = 'bucardo_delta' AND t.tgenabled <> 'D') ORDER BY 1
