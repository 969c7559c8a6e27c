-- machine_proofs - what is proven equal, by worker/verify, for each migration and table: how its rows fall
-- into buckets (plans, on each captured side); the buckets that are proven (on the source); and buckets with
-- keys that were purged since, which are to be read again (marks, on each captured side).
DO $machine$
BEGIN
  CREATE TABLE IF NOT EXISTS bucardo.machine_proof_plans (migration text, tablename text, definition text NOT NULL,
    buckets int NOT NULL, bounds text[], bucket text NOT NULL, counters text NOT NULL,
    complete boolean NOT NULL DEFAULT false,
    PRIMARY KEY (migration, tablename));
  CREATE TABLE IF NOT EXISTS bucardo.machine_proof_marks (migration text, tablename text, bucket int,
    PRIMARY KEY (migration, tablename, bucket));
  CREATE TABLE IF NOT EXISTS bucardo.machine_proofs (migration text, tablename text, bucket int,
    rows bigint NOT NULL, proven timestamptz NOT NULL, PRIMARY KEY (migration, tablename, bucket));
END $machine$
