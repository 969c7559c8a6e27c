-- events_prune - What is kept of events: 90 days, and of those the newest 10,000.
DELETE FROM machine.event_log WHERE at < now() - interval '90 days'
	OR id <= (SELECT id FROM machine.event_log ORDER BY id DESC OFFSET 10000 LIMIT 1)
