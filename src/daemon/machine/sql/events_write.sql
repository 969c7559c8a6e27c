-- events_write - $1: an array of events, as the control socket tells them. One that is there already is the same.
INSERT INTO machine.event_log (id, at, level, subject, text)
SELECT e.id, e.at, e.level, e.subject, e.text
	FROM jsonb_to_recordset($1::jsonb)
		AS e(id bigint, at timestamptz, level text, subject text, text text)
	ON CONFLICT (id) DO NOTHING
