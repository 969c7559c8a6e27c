-- sequence_create - what was seen of each sequence, what it was set to, where it stood before,
-- whether somebody else moves it on, whether it may be set back. On the destination.
CREATE TABLE IF NOT EXISTS bucardo_machine.sequence (name text PRIMARY KEY,
seen numeric NOT NULL, goal numeric NOT NULL, stood numeric NOT NULL,
own boolean NOT NULL DEFAULT false, back boolean NOT NULL DEFAULT false)
