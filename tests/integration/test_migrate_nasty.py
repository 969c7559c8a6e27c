"""Schemas that a migration may trip over, from one YAML to live replication under writes."""

import pytest
from support import compare, nasty
from support.clone import schema_of
from support.declared import wait_live, yaml
from support.traffic import Traffic, marker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def scene(workshop):
    settings = {"max_locks_per_transaction": "256"}
    source = workshop.server("source", settings=settings)
    dest = workshop.server("dest", settings=settings)
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    return machine, source, dest


def schema_without_ours(server, dbname):
    lines = schema_of(server, dbname, "-N", "bucardo", "--no-comments")
    return [line for line in lines if line and "bucardo" not in line and not line.startswith("--")]


def test_a_nasty_schema_replicates_whole(scene):
    machine, source, dest = scene
    source.create_database("app", "nasty")
    dest.create_database("app")
    # What Bucardo writes as text must not depend on how the databases write it.
    source.sql("ALTER DATABASE app SET DateStyle = 'SQL, DMY'; ALTER DATABASE app SET TimeZone = "
               "'Asia/Kolkata'; ALTER DATABASE app SET IntervalStyle = 'sql_standard';"
               "ALTER DATABASE app SET extra_float_digits = -3")
    machine.write_config(yaml(source, dest, "app"))
    with Traffic(source, "app", "nasty", rate=100) as traffic:
        traffic.wait_total(50)
        machine.start()
        live = wait_live(machine)
        traffic.wait_total(400, 60)
    assert traffic.counts["error"] == 0, traffic.last_error
    capture = next(phase for phase in live["phases"] if phase["phase"] == "capture")
    assert set(capture["evidence"]["left_out"]) == nasty.LEFT_OUT
    marker(source, dest, "app", "nasty", 60)
    compare.wait_equal(source, dest, "app", 60, sequences="ahead")
    source.sql("ALTER DATABASE app RESET ALL")
    assert schema_without_ours(source, "app") == schema_without_ours(dest, "app")
    for server in (source, dest):
        for name in ("mat_first", '"a mat"', "mat_late"):  # nothing keeps them in step
            server.sql(f"REFRESH MATERIALIZED VIEW {name}", dbname="app")
    assert not compare.differences(source, dest, "app", sequences=False, matviews=True)


@pytest.mark.full
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_another_encoding_arrives_as_the_same_characters(scene, encoding):
    machine, source, dest = scene
    source.sql(f"CREATE DATABASE app TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    dest.create_database("app")
    # The bytes of "Käse ½" as an application of that database would send them.
    word = "'\\x" + "Käse ½".encode("latin1" if encoding == "LATIN1" else "utf8").hex() + "'::bytea"
    word = f"convert_from({word}, '{encoding}')"
    source.sql(f"CREATE TABLE word (k text PRIMARY KEY, v text); INSERT INTO word "
               f"SELECT {word} || i, {word} FROM generate_series(1, 2000) i", dbname="app")
    machine.write_config(yaml(source, dest, "app"))
    machine.start()
    wait_live(machine)
    source.sql(f"UPDATE word SET v = v || {word} WHERE k LIKE '%9'; UPDATE word SET k = k || {word} "
               f"WHERE k LIKE '%8'; DELETE FROM word WHERE k LIKE '%7'; "
               f"INSERT INTO word VALUES ({word}, {word})", dbname="app")
    compare.wait_equal(source, dest, "app", 60, sequences="ahead")
    assert dest.value("SELECT count(*) FROM word WHERE k = 'Käse ½' AND v = k", dbname="app") == 1


@pytest.mark.full
def test_wide_rows_long_values_and_many_tables_replicate(scene):
    machine, source, dest = scene
    source.create_database("app", "shop")
    dest.create_database("app")
    columns = ", ".join(f"c{i} integer" for i in range(1, 1600))
    values = ", ".join("NULL" if i % 3 == 0 else "g" for i in range(1, 1600))
    source.sql(f"CREATE TABLE wide (c0 integer PRIMARY KEY, {columns});"
               f"INSERT INTO wide SELECT g, {values} FROM generate_series(1, 50) g", dbname="app")
    source.sql("CREATE TABLE long (id integer PRIMARY KEY, v bytea);"
               "ALTER TABLE long ALTER v SET STORAGE EXTERNAL; INSERT INTO long VALUES "
               "(1, decode(repeat('5c00', 250000000), 'hex'))", dbname="app")
    for first in range(1, 2001, 200):
        source.sql(f"DO $$ BEGIN FOR i IN {first}..{first + 199} LOOP EXECUTE format('CREATE TABLE "
                   "small_%s (id integer PRIMARY KEY, v text); INSERT INTO small_%s SELECT g, md5(g"
                   "::text) FROM generate_series(1, %s) g', i, i, i % 20); END LOOP; END $$",
                   dbname="app")
    machine.write_config(yaml(source, dest, "app"))
    with Traffic(source, "app", "shop", rate=20) as traffic:
        machine.start()
        wait_live(machine, 600)
        source.sql("UPDATE wide SET c7 = 7 WHERE c0 < 20; INSERT INTO long VALUES (2, '\\x00');"
                   "UPDATE small_7 SET v = 'changed'; INSERT INTO small_2000 VALUES (77, 'new')",
                   dbname="app")
        traffic.wait_total(20)
    marker(source, dest, "app", "shop", 120)
    compare.wait_equal(source, dest, "app", 120, sequences="ahead")
