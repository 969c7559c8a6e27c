-- ready_paused - tables whose changes wait because their definitions differ, or runs failed of them; $1 is what
-- ready_paused_from.sql gives. One that was dropped on both sides is in nobody's way.
SELECT x->>0, 'it is paused: its changes wait until both sides agree',
	'bucardo-machine status names the difference and the statement that ends it'
FROM json_array_elements($1::json) x
WHERE (x->>1)::boolean OR to_regclass(x->>0) IS NOT NULL
ORDER BY 1
