-- touches_columns - columns that the table of an older machine lacks. On the live side.
ALTER TABLE bucardo.machine_touches ADD COLUMN IF NOT EXISTS why text,
ADD COLUMN IF NOT EXISTS follower_file oid, ADD COLUMN IF NOT EXISTS follower_block bigint,
ADD COLUMN IF NOT EXISTS gone bigint NOT NULL DEFAULT 0,
ADD COLUMN IF NOT EXISTS shipped boolean NOT NULL DEFAULT false,
ADD COLUMN IF NOT EXISTS held boolean NOT NULL DEFAULT false
