-- ledger_create - the ledger: of what it is one, and its plan of rows and of what comes after them.
CREATE SCHEMA bucardo_machine;
COMMENT ON SCHEMA bucardo_machine IS
'Ledger of bucardo-machine: what was copied here. Drop it when all is done.';
CREATE TABLE bucardo_machine.clone (version integer NOT NULL,
source text NOT NULL, choice text NOT NULL, begun timestamptz NOT NULL DEFAULT clock_timestamp(),
schema_done timestamptz, settled timestamptz, finished timestamptz);
-- Without, a publication FOR ALL TABLES there would refuse each UPDATE.
ALTER TABLE bucardo_machine.clone REPLICA IDENTITY FULL;
CREATE TABLE bucardo_machine.chunk (id integer PRIMARY KEY,
table_name text NOT NULL, range text NOT NULL, estimate bigint NOT NULL,
rows bigint, bytes bigint, snapshot text, done timestamptz, moment text, wave integer NOT NULL DEFAULT 0);
CREATE TABLE bucardo_machine.work (id integer PRIMARY KEY, stage integer NOT NULL,
name text NOT NULL, sql text NOT NULL, first_table text NOT NULL,
second_table text NOT NULL, cost bigint NOT NULL, shares boolean NOT NULL,
done timestamptz, with_path boolean NOT NULL DEFAULT false,
wave integer NOT NULL DEFAULT 1000000, trusted boolean NOT NULL DEFAULT false);
