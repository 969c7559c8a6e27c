-- refused_table - what is remembered of tables whose rows make runs fail.
CREATE TABLE IF NOT EXISTS machine.refused (sync text, tablename text,
error text NOT NULL, side text NOT NULL, strikes int NOT NULL DEFAULT 1,
since timestamptz NOT NULL DEFAULT now(),
run_ended timestamptz NOT NULL, tries int NOT NULL DEFAULT 0, prints text NOT NULL,
until timestamptz, released timestamptz, PRIMARY KEY (sync, tablename))
