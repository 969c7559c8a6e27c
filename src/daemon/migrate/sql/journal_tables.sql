-- journal_tables - The journal's tables, made where they are missing, with what came after the first version of them.
SET LOCAL client_min_messages = warning;
ALTER TABLE machine.version ADD COLUMN IF NOT EXISTS program text;
CREATE TABLE IF NOT EXISTS machine.migration (
	name text PRIMARY KEY, definition jsonb NOT NULL,
	until text, paused_at timestamptz, paused_by text,
	created timestamptz NOT NULL DEFAULT now());
ALTER TABLE machine.migration ADD COLUMN IF NOT EXISTS resuming boolean,
	ADD COLUMN IF NOT EXISTS leaving jsonb, ADD COLUMN IF NOT EXISTS changing jsonb;
CREATE TABLE IF NOT EXISTS machine.phase (
	migration text NOT NULL, phase text NOT NULL,
	state text NOT NULL, failure text, attempt integer NOT NULL,
	started timestamptz, ended timestamptz,
	error text, mend text, evidence jsonb, findings jsonb,
	PRIMARY KEY (migration, phase));
ALTER TABLE machine.phase ADD COLUMN IF NOT EXISTS done bigint, ADD COLUMN IF NOT EXISTS total bigint
