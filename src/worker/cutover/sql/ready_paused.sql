-- ready_paused - tables whose changes wait because their definitions differ, or runs failed of them.
SELECT DISTINCT n.tablename, 'it is paused: its changes wait until both sides agree',
	'bucardo-machine status names the difference and the statement that ends it'
FROM bucardo.bucardo_delta_names n
WHERE n.sync ~ ('^' || current_setting('bucardo_machine.migration') || '_sync(_[2-8])? \(paused\)$')
ORDER BY 1
