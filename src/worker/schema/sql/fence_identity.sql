-- fence_identity - a fence table of an older machine gets the whole row as its identity. On the
-- destination.
DO $$ BEGIN IF (SELECT relreplident = 'd' FROM pg_catalog.pg_class
WHERE oid = 'bucardo_machine.fence'::pg_catalog.regclass) THEN
ALTER TABLE bucardo_machine.fence REPLICA IDENTITY FULL; END IF; END $$
