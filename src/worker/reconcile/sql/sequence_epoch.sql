-- sequence_epoch - a column that the table of an older machine lacks: since when it is so. On the
-- destination.
DO $machine$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid =
'bucardo_machine.sequence'::pg_catalog.regclass AND attname = 'epoch') THEN
ALTER TABLE bucardo_machine.sequence ADD COLUMN epoch text NOT NULL DEFAULT '';
END IF; END $machine$
