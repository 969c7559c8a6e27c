-- ledger_columns - columns that the ledger of an older version lacks. On the destination.
ALTER TABLE bucardo_machine.chunk ADD COLUMN IF NOT EXISTS moment text,
ADD COLUMN IF NOT EXISTS wave integer NOT NULL DEFAULT 0;
ALTER TABLE bucardo_machine.work ADD COLUMN IF NOT EXISTS
with_path boolean NOT NULL DEFAULT false,
ADD COLUMN IF NOT EXISTS wave integer NOT NULL DEFAULT 1000000,
ADD COLUMN IF NOT EXISTS trusted boolean NOT NULL DEFAULT false
