"""Two transactions with one txntime: stock Bucardo loses a row, a declared migration does not.

Nobody can start two transactions in the same microsecond on demand: a trigger on the delta
table gives every change the same txntime, as bucardo#216 saw it happen by itself.
"""

import subprocess

import pytest
from support import compare, declared
from support.phases import Phases
from support.servers import bin_dir
from support.users import as_user
from support.waiting import TooLate, wait_for

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text)"
ONE_STAMP = """
    CREATE FUNCTION one_txntime() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.txntime = '2026-01-01 00:00:00.123456+00'; RETURN NEW; END $$;
    CREATE TRIGGER one_txntime BEFORE INSERT ON bucardo.delta_public_t
    FOR EACH ROW EXECUTE FUNCTION one_txntime()"""


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        for dbname in ("stock", "forward", "both"):
            server.create_database(dbname)
            server.sql(TABLE, dbname=dbname)
    machine = shared_workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.start()
    machine.wait_ready(60)
    return machine, source, dest


def collide(machine, source, dest, dbname, sync):
    """Commit one change, let it be applied, commit the other with the same txntime."""
    source.sql(ONE_STAMP, dbname=dbname)
    late = source.connect(dbname, autocommit=False)
    late.cursor().execute("INSERT INTO t VALUES (2, 'late')")
    source.sql("INSERT INTO t VALUES (1, 'early')", dbname=dbname)
    machine.shell(f"bucardo kick {sync} 30").check()
    wait_for(lambda: ids(dest, dbname) == [1], 20, "the early row is there")
    late.commit()
    late.close()
    machine.shell(f"bucardo kick {sync} 30").check()


def ids(server, dbname):
    return [row[0] for row in server.sql("SELECT id FROM t ORDER BY id", dbname=dbname)]


def wait_served(machine, sync):
    wait_for(lambda: machine.shell(f"bucardo kick {sync} 10").code == 0, 60, f"{sync} is served",
             explain=machine.log_tail)


@pytest.mark.full
def test_stock_bucardo_loses_the_later_row(world):
    machine, source, dest = world
    for name, server in (("s", source), ("d", dest)):
        machine.shell(f"bucardo add db {name} dbname=stock host={server.address} "
                      f"port={server.port} user={server.user} conn=sslmode=require").check()
    machine.shell("bucardo add all tables db=s relgroup=rg && "
                  "bucardo add dbgroup dbg s:source d:target && "
                  "bucardo add sync stock relgroup=rg dbs=dbg && bucardo reload").check()
    wait_served(machine, "stock")
    collide(machine, source, dest, "stock", "stock")
    with pytest.raises(TooLate):
        wait_for(lambda: ids(dest, "stock") == [1, 2], 12, "the late row is there")
    assert ids(source, "stock") == [1, 2]


@pytest.mark.parametrize("direction", [
    pytest.param("forward", marks=pytest.mark.full), "both"])
def test_a_declared_migration_loses_none(world, direction):
    machine, source, dest = world
    phases = Phases(machine, source, dest, direction, direction, direction=direction)
    phases.run("capture")
    phases.run("replicate")
    sync = f"{direction}_sync"
    wait_served(machine, sync)
    collide(machine, source, dest, direction, sync)

    def arrived():
        machine.shell(f"bucardo kick {sync} 10").check()
        return ids(dest, direction) == [1, 2]
    wait_for(arrived, 20, "the late row is there", every=0.5, explain=machine.log_tail)


def test_the_count_of_requeued_rows_outlives_the_machine(world):
    machine, source, _ = world

    def requeued():
        found = [s for s in machine.status_json()["syncs"] if s["name"] == "both_sync"]
        return found and found[0]["requeued_rows"]
    wait_for(requeued, 20, "what was requeued is told")
    before = requeued()
    assert before == source.value("SELECT healed FROM bucardo.machine_syncs", dbname="both")
    machine.kill9_everything()
    machine.fresh_runtime()
    machine.start()
    machine.wait_ready(60)
    wait_for(lambda: requeued() == before, 20, "it is told again")


@pytest.mark.full
def test_what_was_applied_is_purged_by_us_alone(world):
    machine, source, dest = world
    sync = "both_sync"
    assert source.value("SELECT count(*) FROM bucardo.bucardo_delta_targets", dbname="both") == 0
    machine.shell(f"bucardo kick {sync} 10").check()

    def emptied():
        return source.value("SELECT (SELECT count(*) FROM bucardo.delta_public_t)"
                            " + (SELECT count(*) FROM bucardo.track_public_t)", dbname="both") == 0
    wait_for(emptied, 60, "deltas and tracks are gone", every=0.5)
    assert ids(dest, "both") == [1, 2]


def test_a_stock_default_of_a_delta_table_is_replaced(world):
    _, source, _ = world
    default = ("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef"
               " WHERE adrelid = 'bucardo.delta_public_t'::regclass")
    source.sql("ALTER TABLE bucardo.delta_public_t ALTER txntime SET DEFAULT now()", dbname="both")
    wait_for(lambda: "txid_current" in source.value(default, dbname="both"), 20,
             "the txntime is there again")


def test_many_clients_from_before_the_capture_on_end_with_equal_contents(workshop, rounds):
    """pgbench hammers few rows of few tables: the same txntimes, locks and keys again and again."""
    source, dest = workshop.server("source"), workshop.server("dest")
    for server in (source, dest):
        server.create_database("bank")
    pgbench = [f"{bin_dir()}/pgbench", "-h", source.folder, "-p", str(source.port), "-U",
               source.user]
    subprocess.run(as_user([*pgbench, "-i", "-q", "-s", "1", "bank"]), check=True,
                   capture_output=True, timeout=60)
    source.sql("ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY", dbname="bank")
    machine = workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, "bank"))
    seconds = rounds(15, 240)
    with subprocess.Popen(as_user([*pgbench, "-n", "-c", "16", "-j", "2", "-T", str(seconds),
                                   "bank"], pdeathsig="KILL"), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as load:
        machine.start()
        declared.wait_live(machine)
        output = load.communicate(timeout=seconds + 60)[0]
    assert load.returncode == 0, output
    assert source.value("SELECT count(*) FROM pgbench_history", dbname="bank") > 1000, output
    compare.wait_equal(source, dest, "bank", 120, sequences="ahead")
