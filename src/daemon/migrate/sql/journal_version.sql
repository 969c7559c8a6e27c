-- journal_version - The version of the journal, and the program that wrote it. A journal without one is of the first
-- version. Every later version keeps this table, so that this one can tell: no column of it changes.
SET LOCAL client_min_messages = warning;
SET LOCAL ROLE bucardo;
CREATE SCHEMA IF NOT EXISTS machine;
CREATE TABLE IF NOT EXISTS machine.version (
	one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL, program text);
INSERT INTO machine.version (version) VALUES (1) ON CONFLICT DO NOTHING;
SELECT version, to_jsonb(v)->>'program' FROM machine.version v
