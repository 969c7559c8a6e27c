-- beats_create - how many passes a migration has seen, and when. On either side.
CREATE TABLE IF NOT EXISTS bucardo.machine_beats (migration text PRIMARY KEY,
pass bigint NOT NULL DEFAULT 0, nonce text NOT NULL DEFAULT '',
before text NOT NULL DEFAULT '', seen timestamptz NOT NULL DEFAULT pg_catalog.now())
