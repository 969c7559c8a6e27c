-- ready_definitions - what the last comparison said of the definitions of both sides. A note, in whatever state it is: what
-- differs may be meant, an index of one side, say.
SELECT 'ready', coalesce(s.state || CASE WHEN s.changed > 0 THEN ', ' || s.changed ELSE '' END, 'not compared'),
	CASE s.state WHEN 'different' THEN coalesce(nullif(s.why, ''), 'definitions differ') ELSE '' END,
	CASE s.state WHEN 'different' THEN 'bucardo-machine verify ' || current_setting('bucardo_machine.migration')
		|| ' names them: what applications need has to be on the other side' ELSE '' END
FROM (SELECT 1) one LEFT JOIN bucardo.machine_proof_states s ON s.migration = current_setting('bucardo_machine.migration')
	AND s.kind = 'schema'
