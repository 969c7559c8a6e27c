-- owners_create - which machine a migration belongs to. On either side.
CREATE TABLE IF NOT EXISTS bucardo.machine_owners (migration text PRIMARY KEY,
owner text NOT NULL, host text NOT NULL, since timestamptz NOT NULL DEFAULT
pg_catalog.now(), identity text NOT NULL, timeline text NOT NULL,
stopped text NOT NULL DEFAULT '')
