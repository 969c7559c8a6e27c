-- events_begin - The table of events, made where it is missing and kept small, and what it holds: the last result.
CREATE SCHEMA IF NOT EXISTS machine;
CREATE TABLE IF NOT EXISTS machine.event_log (
	id bigint PRIMARY KEY, at timestamptz NOT NULL,
	level text NOT NULL, subject text NOT NULL, text text NOT NULL);
DELETE FROM machine.event_log WHERE at < now() - interval '90 days'
	OR id <= (SELECT id FROM machine.event_log ORDER BY id DESC OFFSET 10000 LIMIT 1);
SELECT id, (extract(epoch FROM at) * 1000)::bigint, level, subject, text
	FROM machine.event_log ORDER BY id;
