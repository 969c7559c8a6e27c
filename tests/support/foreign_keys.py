"""A schema with foreign keys of every kind. Each holds by the catalog, and has a row that violates it: only
who checks rows notices."""

import textwrap

# Tables above a megabyte: their keys are made after their rows (src/worker/rows/waves.h).
SCHEMA = textwrap.dedent("""
    CREATE SCHEMA "odd""name";
    CREATE TABLE small (id int PRIMARY KEY, v text);
    CREATE TABLE customer (id int PRIMARY KEY, small_id int REFERENCES small, pad text);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE ON UPDATE SET NULL,
      pad text);
    CREATE TABLE lines (order_id int REFERENCES orders DEFERRABLE INITIALLY DEFERRED, no int, PRIMARY KEY (order_id, no),
      customer_id int CONSTRAINT lines_late REFERENCES customer NOT DEFERRABLE);
    CREATE TABLE paired (a int NOT NULL, b text NOT NULL, pad text);
    CREATE UNIQUE INDEX paired_key ON paired (b, a);
    CREATE TABLE "odd""name"."re fers" (a int, b text, FOREIGN KEY (a, b) REFERENCES paired (a, b) MATCH FULL);
    CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree, pad text);
    CREATE TABLE hen (id int PRIMARY KEY, egg int, pad text);
    CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen, pad text);
    ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
    CREATE TABLE parts (id int, region int, pad text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY RANGE (id);
    CREATE TABLE parts_2a PARTITION OF parts_2 DEFAULT;
    CREATE TABLE uses (id int PRIMARY KEY, part int, region int, customer_id int REFERENCES customer,
      FOREIGN KEY (part, region) REFERENCES parts) PARTITION BY HASH (id);
    CREATE TABLE uses_0 PARTITION OF uses FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE uses_1 PARTITION OF uses FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE to_partition (id int PRIMARY KEY, part int, region int,
      FOREIGN KEY (part, region) REFERENCES parts_1 (id, region));
    CREATE TABLE loose (id int PRIMARY KEY, customer_id int);
    ALTER TABLE loose ADD CONSTRAINT loose_fkey FOREIGN KEY (customer_id) REFERENCES customer NOT VALID;
    """)

ROWS = textwrap.dedent("""
    SET session_replication_role = replica;
    INSERT INTO small SELECT i, 'x' FROM generate_series(1, 100) i;
    INSERT INTO customer SELECT i, CASE WHEN i = 5 THEN -1 ELSE i % 100 + 1 END, repeat('c', 400) FROM generate_series(1, 4000) i;
    INSERT INTO orders SELECT i, CASE WHEN i = 5 THEN -1 ELSE i % 4000 + 1 END, repeat('o', 400) FROM generate_series(1, 5000) i;
    INSERT INTO lines SELECT i, 1, CASE WHEN i = 5 THEN -1 ELSE i % 4000 + 1 END FROM generate_series(1, 5000) i;
    INSERT INTO lines VALUES (-1, 1, 1);
    INSERT INTO paired SELECT i, i::text, repeat('p', 400) FROM generate_series(1, 4000) i;
    INSERT INTO "odd""name"."re fers" SELECT i, CASE WHEN i = 5 THEN 'none' ELSE i::text END FROM generate_series(1, 50) i;
    INSERT INTO tree SELECT i, CASE WHEN i = 5 THEN -1 WHEN i > 1 THEN i / 2 END, repeat('t', 400) FROM generate_series(1, 4000) i;
    INSERT INTO hen SELECT i, CASE WHEN i = 5 THEN -1 ELSE i END, repeat('h', 400) FROM generate_series(1, 4000) i;
    INSERT INTO egg SELECT i, CASE WHEN i = 5 THEN -1 ELSE i END, repeat('e', 400) FROM generate_series(1, 5000) i;
    INSERT INTO parts SELECT i, i % 2 + 1, repeat('r', 400) FROM generate_series(1, 8000) i;
    INSERT INTO uses SELECT i, CASE WHEN i = 5 THEN -1 ELSE i END, i % 2 + 1, i % 4000 + 1 FROM generate_series(1, 100) i;
    INSERT INTO uses VALUES (101, 1, 2, -1);
    INSERT INTO to_partition VALUES (1, 2, 1), (2, -1, 1);
    INSERT INTO loose VALUES (1, -1);
    ANALYZE;
    """)

# Foreign keys that are made on empty tables, as the ledger names them.
TRUSTED = {f"FK CONSTRAINT {name}" for name in (
    "public.customer customer_small_id_fkey", "public.orders orders_customer_id_fkey",
    "public.lines lines_order_id_fkey", "public.lines lines_late", 'odd"name.re fers re fers_a_b_fkey',
    "public.tree tree_parent_fkey", "public.hen hen_egg_fkey", "public.egg egg_hen_fkey",
    "public.uses uses_part_region_fkey", "public.uses uses_customer_id_fkey",
    "public.to_partition to_partition_part_region_fkey")}

DEFINITIONS = ("SELECT conrelid::regclass::text, conname, convalidated, condeferrable, condeferred, pg_get_constraintdef(oid)"
               " FROM pg_constraint WHERE contype = 'f' AND connamespace <> 'bucardo_machine'::regnamespace ORDER BY 1, 2")


def definitions(server, dbname):
    return server.sql(DEFINITIONS.replace(" AND connamespace <> 'bucardo_machine'::regnamespace", ""), dbname=dbname)


def trusted(server, dbname):
    """What the ledger says was made without a look at the rows."""
    return {row[0] for row in server.sql("SELECT name FROM bucardo_machine.work WHERE trusted", dbname=dbname)}
