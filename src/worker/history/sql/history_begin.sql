-- history_begin - The ring of what the status said, made where it is missing; its version is the last result. A row
-- has a place of its own (slot), which the next time round takes: the table never has more rows than places.
-- migration '': the machine's own. step: seconds that a row stands for. at, predicted_end: since the epoch.
CREATE TABLE IF NOT EXISTS machine.history_version (version int NOT NULL);
INSERT INTO machine.history_version SELECT 1 WHERE NOT EXISTS (SELECT FROM machine.history_version);
CREATE TABLE IF NOT EXISTS machine.history (
	migration text COLLATE "C" NOT NULL, step smallint NOT NULL, slot int NOT NULL, at bigint NOT NULL,
	lag real, backlog bigint, applied bigint, copied bigint, verified real, differences bigint, load real,
	phase text, predicted_end bigint,
	PRIMARY KEY (migration, step, slot)) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE IF NOT EXISTS machine.history_attempt (
	id bigint PRIMARY KEY, migration text NOT NULL, direction text NOT NULL, mode text NOT NULL,
	result text NOT NULL, step text NOT NULL, froze real);
SELECT max(version) FROM machine.history_version;
