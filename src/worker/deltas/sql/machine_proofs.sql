-- machine_proofs - what is proven equal, by worker/verify, for each migration and table: how its rows fall
-- into buckets (plans, on each captured side); the buckets that are proven (on the source); and buckets with
-- keys that were purged since, which are to be read again (marks, on each captured side). And what the last
-- comparison found of each table, with rows that differ (on the source, worker/proof).
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
  CREATE TABLE IF NOT EXISTS bucardo.machine_proof_states (migration text, kind text, name text, state text NOT NULL,
    why text NOT NULL, captured boolean NOT NULL DEFAULT false, bytes bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0, in_flight bigint NOT NULL DEFAULT 0, missing bigint NOT NULL DEFAULT 0,
    extra bigint NOT NULL DEFAULT 0, changed bigint NOT NULL DEFAULT 0, at timestamptz, since timestamptz NOT NULL,
    PRIMARY KEY (migration, kind, name));
  CREATE TABLE IF NOT EXISTS bucardo.machine_differences (migration text, tablename text, key text NOT NULL,
    kind text NOT NULL, columns text NOT NULL, found timestamptz NOT NULL);
END $machine$
