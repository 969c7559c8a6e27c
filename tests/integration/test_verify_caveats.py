"""`bucardo-machine verify` on what is stored, shaped or set in another way on each side: equal is equal, and nothing else is."""

import pytest

from support.clone import clone_of
from support.verify import verify

SCHEMA = """
CREATE TABLE shaped (gone text, id int PRIMARY KEY, b text, a text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO shaped (gone, id, b, a, n) SELECT 'x', i, 'b' || i, 'a' || i, i FROM generate_series(1, 500) i;
ALTER TABLE shaped DROP COLUMN gone;
CREATE TABLE stored (id int PRIMARY KEY, v text, b bytea);
INSERT INTO stored SELECT i, repeat(md5(i::text), 400), decode(repeat(md5(i::text), 400), 'hex') FROM generate_series(1, 50) i;
CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (100) TO (MAXVALUE);
INSERT INTO parted SELECT i, i FROM generate_series(1, 200) i;
CREATE TABLE checked (id int PRIMARY KEY, n int, up int);
INSERT INTO checked VALUES (1, -1, 7), (2, 2, 1);
ALTER TABLE checked ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
ALTER TABLE checked ADD CONSTRAINT upwards FOREIGN KEY (up) REFERENCES checked NOT VALID;
ALTER TABLE checked ADD CONSTRAINT small CHECK (n < 9);
CREATE TABLE hashed (id uuid PRIMARY KEY, at timestamptz, v text);
INSERT INTO hashed SELECT md5(i::text)::uuid, timestamptz '2026-01-01Z' + i * interval '1 s', 'v' FROM generate_series(1, 50) i;
ANALYZE;
"""


@pytest.fixture(scope="module", name="clone")
def odd_clone(shared_workshop):
    pair = shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop
    clone = clone_of(pair, "caveats")
    pair[0].psql("caveats", text=SCHEMA)
    clone.must()
    return clone


def look(clone, *names, options=()):
    return verify(clone.binary, clone, *options, *[word for name in names for word in ("--table", f"public.{name}")])


# Copies of ('a', 1.0) and of ('b', 2.0) on either side. Sums by exclusive or would miss the last two.
SAME = {"same": ((2, 1), (2, 1)), "none": ((0, 0), (0, 0))}
OTHER = {"fewer": ((2, 0), (1, 0)), "more": ((2, 0), (3, 0)), "swapped": ((2, 1), (1, 2)),
         "others": ((2, 0), (0, 2))}


def test_of_a_table_without_a_key_each_copy_of_a_row_counts(clone):
    for name, sides in {**SAME, **OTHER}.items():
        for server, (a, b) in zip((clone.source, clone.dest), sides):
            server.sql(f"CREATE TABLE copies_{name} (v text, n numeric);"
                       f"INSERT INTO copies_{name} SELECT 'a', 1.0 FROM generate_series(1, {a});"
                       f"INSERT INTO copies_{name} SELECT 'b', 2.0 FROM generate_series(1, {b})", dbname="caveats")
    result = look(clone, "copies_*")
    assert result.of_rows("equal") == {f"public.copies_{name}" for name in SAME}, result.output
    assert result.of_rows("different") == {f"public.copies_{name}" for name in OTHER} and result.code == 5, result.output
    for name, sides in OTHER.items():
        found = result.objects[f"public.copies_{name}"]
        assert (found["rows"], found["rows_destination"]) == tuple(map(sum, sides)) and "no key" in found["why"], found
    result = look(clone, "copies_same", "copies_swapped", options=("--hash", "sha256"))
    assert result.of_rows("equal") == {"public.copies_same"} and result.of_rows("different") == {"public.copies_swapped"}
    for server in (clone.source, clone.dest):
        server.sql("; ".join(f"DROP TABLE copies_{name}" for name in {**SAME, **OTHER}), dbname="caveats")


def test_columns_in_another_order_and_columns_that_were_dropped_change_nothing(clone):
    clone.dest.sql("""
        CREATE TABLE other (n int, old int, a text, twice int GENERATED ALWAYS AS (n * 2) STORED, id int PRIMARY KEY, b text);
        INSERT INTO other (n, a, id, b) SELECT n, a, id, b FROM shaped ORDER BY md5(id::text);
        ALTER TABLE other DROP COLUMN old; DROP TABLE shaped; ALTER TABLE other RENAME TO shaped;
        ALTER INDEX other_pkey RENAME TO shaped_pkey""", dbname="caveats")
    result = look(clone, "shaped")
    assert result.code == 0 and result.objects["public.shaped"]["rows"] == 500, result.output
    clone.dest.sql("UPDATE shaped SET a = b, b = a WHERE id = 7; UPDATE shaped SET n = 0 WHERE id = 9", dbname="caveats")
    found = look(clone, "shaped")
    assert found.rows("public.shaped") == {("changed", ("7",), ("a", "b")), ("changed", ("9",), ("n", "twice"))}, found.output
    clone.dest.sql("UPDATE shaped SET a = b, b = a WHERE id = 7; UPDATE shaped SET n = 9 WHERE id = 9", dbname="caveats")
    # What a generated column holds counts, not only what it is made of.
    clone.dest.sql("ALTER TABLE shaped DROP COLUMN twice; ALTER TABLE shaped ADD twice int GENERATED ALWAYS AS"
                   " (CASE WHEN n = 4 THEN 0 ELSE n * 2 END) STORED", dbname="caveats")
    found = look(clone, "shaped")
    assert found.rows("public.shaped") == {("changed", ("4",), ("twice",))}, found.output
    assert found.code == 5


def test_how_a_long_value_is_stored_changes_nothing_and_its_last_byte_counts(clone):
    clone.dest.sql("ALTER TABLE stored ALTER v SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;"
                   "UPDATE stored SET v = v || '', b = b || ''", dbname="caveats")
    sizes = [server.value("SELECT pg_table_size('stored')", dbname="caveats") for server in (clone.source, clone.dest)]
    assert sizes[0] != sizes[1], sizes
    assert look(clone, "stored").code == 0
    clone.dest.sql("UPDATE stored SET b = set_byte(b, length(b) - 1, get_byte(b, length(b) - 1) # 1) WHERE id = 5;"
                   "UPDATE stored SET v = left(v, -1) || 'é' WHERE id = 6", dbname="caveats")
    found = look(clone, "stored")
    assert found.rows("public.stored") == {("changed", ("5",), ("b",)), ("changed", ("6",), ("v",))}, found.output


def test_partitions_of_another_shape_are_never_equal_and_are_named(clone):
    clone.dest.sql("ALTER TABLE parted DETACH PARTITION parted_high; ALTER TABLE parted_high RENAME TO kept;"
                   "CREATE TABLE parted_mid PARTITION OF parted FOR VALUES FROM (100) TO (150);"
                   "CREATE TABLE parted_top PARTITION OF parted FOR VALUES FROM (150) TO (MAXVALUE);"
                   "INSERT INTO parted SELECT * FROM kept; DROP TABLE kept", dbname="caveats")
    result = verify(clone.binary, clone)
    assert result.code == 5, result.output
    assert result.objects["public.parted_low"]["state"] == "equal", result.output
    found = result.objects["public.parted_high"]
    assert found["state"] == "different" and "destination" in found["why"], found
    named = {(one["kind"], one["name"]) for one in result.report["objects"] if one["state"] == "different"}
    more = {("table definition", "public.parted_mid"), ("table definition", "public.parted_top")}
    assert more <= named, named
    # Also where a person asks for the table that they belong to, and knows of no partitions.
    result = look(clone, "parted")
    named = {(one["kind"], one["name"]) for one in result.report["objects"] if one["state"] == "different"}
    assert result.code == 5 and more <= named, named
    clone.dest.sql("CREATE TABLE stored_too (id int PRIMARY KEY)", dbname="caveats")
    result = look(clone, "stored*")
    assert result.code == 5 and ("table definition", "public.stored_too") in {
        (one["kind"], one["name"]) for one in result.report["objects"]}, result.output
    clone.dest.sql("DROP TABLE stored_too", dbname="caveats")


def definitions(result):
    return {(one["kind"], one["name"]) for one in result.report["objects"]
            if one["state"] == "different" and one["kind"] == "constraint"}


def test_a_constraint_is_as_valid_on_one_side_as_on_the_other(clone):
    assert look(clone, "checked").code == 0, "what is NOT VALID on both sides is the same"
    clone.dest.sql("ALTER TABLE checked DROP CONSTRAINT small; ALTER TABLE checked ADD CONSTRAINT small CHECK (n < 9) NOT VALID",
                   dbname="caveats")
    result = look(clone, "checked")
    assert definitions(result) == {("constraint", "small on public.checked")} and result.code == 5, result.output
    clone.dest.sql("ALTER TABLE checked VALIDATE CONSTRAINT small", dbname="caveats")
    assert look(clone, "checked").code == 0
    clone.source.sql("UPDATE checked SET n = 1, up = 1", dbname="caveats")
    clone.dest.sql("UPDATE checked SET n = 1, up = 1; ALTER TABLE checked VALIDATE CONSTRAINT positive;"
                   "ALTER TABLE checked VALIDATE CONSTRAINT upwards", dbname="caveats")
    result = look(clone, "checked")
    assert definitions(result) == {("constraint", "positive on public.checked"), ("constraint", "upwards on public.checked")}


def test_where_the_servers_hash_in_another_way_neither_is_believed(clone):
    # As another version might have it.
    clone.dest.sql("SET allow_system_table_mods = on; ALTER FUNCTION pg_catalog.uuid_hash_extended RENAME TO uuid_hash_before;"
                   "CREATE FUNCTION pg_catalog.uuid_hash_extended(uuid, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE"
                   " AS 'SELECT 1::bigint'", dbname="caveats")
    result = look(clone, "hashed")
    assert result.report["hash"] == "sha256" and result.code == 0, result.output
    clone.dest.sql("UPDATE hashed SET at = at + interval '1 us' WHERE id = md5('3')::uuid", dbname="caveats")
    found = look(clone, "hashed")
    assert found.report["hash"] == "sha256" and len(found.rows("public.hashed")) == 1, found.output
