-- fence_columns - turn: how often the sides have changed places; forced: what was passed over the last
-- time. A fence that an older machine or a person made lacks them.
DO $machine$ DECLARE c text; BEGIN FOR c IN SELECT w FROM pg_catalog.unnest(ARRAY[
'turn bigint NOT NULL DEFAULT 0', 'forced text']) w
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid =
 'bucardo_machine.fence'::pg_catalog.regclass AND attname = pg_catalog.split_part(w, ' ', 1)) LOOP
EXECUTE 'ALTER TABLE bucardo_machine.fence ADD COLUMN ' || c; END LOOP; END $machine$
