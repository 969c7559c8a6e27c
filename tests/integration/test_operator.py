"""What a person does with the `bucardo` command in the pod keeps working (section 4)."""

import os
import shutil

import pytest
from support.traffic import marker
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)
LIMIT = 30


class Pod:
    """A replicating machine, shared by the tests of this file."""

    def __init__(self, machine, source, dest, dbname):
        self.machine, self.source, self.dest, self.dbname = machine, source, dest, dbname

    def types(self, command):
        return self.machine.shell(command).check()

    def replicates(self, seconds=LIMIT):
        marker(self.source, self.dest, self.dbname, self.dbname, seconds)

    def master(self):
        """The pid the machine watches; a tree of a person is not among its descendants here."""
        return self.machine.unit("bucardo")["pid"]

    def one_tree(self):
        """The watched master is the one of the pid file, and it lives."""
        found = int(self.types(f"head -1 {self.machine.runtime}/bucardo/bucardo.mcp.pid"))
        return found == self.master() and self.machine.shell(f"kill -0 {found}").code == 0

    def bucardo_is(self, state, seconds=LIMIT):
        return wait_for(lambda: self.machine.unit("bucardo")["state"] == state, seconds,
                        f"bucardo is {state}", explain=self.machine.log_tail)

    def sync_is(self, status, seconds=LIMIT):
        """The word is only sent: a second one sent before it is heard may be heard first."""
        wait_for(lambda: self.machine.control_sql(
            "SELECT status FROM sync WHERE name = 'MyDBSync'") == [status], seconds,
            f"the sync is {status}", explain=self.machine.log_tail)


@pytest.fixture(scope="module")
def pod(shared_workshop):
    return Pod(*shared_workshop.replicating())


def test_a_stop_by_hand_is_respected_and_shown_with_its_reason(pod):
    pod.machine.wait_ready(LIMIT)
    pod.types("bucardo stop maintenance of the network")
    pod.bucardo_is("down")
    assert "maintenance of the network" in pod.machine.cli("status").output
    for kind in ("mcp", "ctl", "kid", "vac"):
        assert pod.machine.find(kind) == []


def test_a_start_by_hand_is_adopted_and_does_not_hold_the_terminal(pod):
    # The shell's output is a pipe: were it held by the tree, this would not return.
    pod.types("bucardo start")
    pod.bucardo_is("ready")
    pod.replicates()
    pod.machine.wait_ready(LIMIT)
    assert pod.one_tree()


def test_an_adopted_tree_that_dies_is_replaced(pod):
    first = pod.master()
    pod.types(f"kill -9 {first}")
    pod.replicates()
    assert pod.master() not in (0, first)
    assert len(pod.machine.find("mcp")) == 1


def test_a_restart_by_hand_leaves_one_tree(pod):
    first = pod.master()
    pod.types("bucardo restart")
    wait_for(lambda: pod.master() not in (0, first), LIMIT, "another master")
    pod.replicates()
    assert pod.machine.find("mcp") == [] and pod.machine.find("vac") == []
    assert pod.one_tree()


def test_a_stop_that_cannot_be_written_down_is_respected_all_the_same(pod):
    pod.machine.wait_ready(LIMIT)
    marks = os.path.join(pod.machine.volume, "stopped")
    shutil.rmtree(marks, ignore_errors=True)
    with open(marks, "w", encoding="utf-8"):
        pod.types("bucardo stop")
    pod.bucardo_is("down")
    wait_for(lambda: "bucardo stop" in pod.machine.unit("bucardo")["stopped_by"], LIMIT,
             "status says who stopped it", explain=pod.machine.log_tail)
    os.unlink(marks)
    pod.types("bucardo start")
    pod.bucardo_is("ready")
    pod.replicates()


def test_kick_reload_and_deactivate_do_what_they_say(pod):
    pod.machine.wait_ready(LIMIT)
    assert "DONE" in pod.types("bucardo kick MyDBSync 20")
    pod.types("bucardo reload")
    pod.replicates()
    pod.types("bucardo deactivate MyDBSync")
    pod.machine.wait_health("stopped", LIMIT)
    pod.types("bucardo activate MyDBSync")
    pod.sync_is("active")
    pod.replicates()


def test_a_paused_sync_stays_paused_until_it_is_resumed(pod):
    pod.machine.wait_ready(LIMIT)
    pod.replicates()
    pod.types("bucardo pause MyDBSync")
    status = pod.machine.wait_health("stopped", LIMIT)
    assert "bucardo resume MyDBSync" in pod.machine.cli("status").output, status
    # A sync that is active and not served would be revived by now.
    with pytest.raises(AssertionError):
        pod.machine.wait_health(("idle", "running", "catching-up"), 12)
    pod.types("bucardo resume MyDBSync")
    pod.machine.wait_health(("idle", "running", "catching-up"), LIMIT)
    pod.replicates()


def test_controllers_that_come_and_go_leave_the_masters_tls_sessions_alone(pod, rounds):
    # A tree of the machine's own: one that a person started is Bucardo as Debian ships it.
    pod.machine.cli("service", "restart", "bucardo").check()
    pod.bucardo_is("ready")
    pod.replicates()
    master = pod.master()
    for _ in range(rounds(5, 30)):
        pod.types("bucardo deactivate MyDBSync")
        pod.sync_is("inactive")
        pod.types("bucardo activate MyDBSync")
        pod.sync_is("active")
        pod.replicates()
    assert pod.master() == master, pod.machine.log_tail(600)


def test_an_open_transaction_by_hand_delays_the_limits_and_disturbs_nothing(pod):
    pod.machine.wait_ready(LIMIT)
    master, mark = pod.master(), pod.machine.log_size()
    # A database without limits, and a person's transaction that keeps them from being put.
    pod.types(f"""psql -X -q -h '{pod.machine.runtime}' -d bucardo -U bucardo -v ON_ERROR_STOP=1 <<'SQL'
SET session_replication_role = replica;
INSERT INTO bucardo.db (name, dbhost, dbport, dbname, dbuser, dbpass, dbconn)
SELECT 'Held', dbhost, dbport, dbname, dbuser, dbpass, 'sslmode=require' FROM bucardo.db
WHERE name = 'MySourceDB';
BEGIN;
LOCK TABLE bucardo.db IN SHARE MODE;
SELECT pg_sleep(14);
COMMIT;
SQL""")
    assert "cannot put limits" in pod.machine.log()[mark:], "the lock came too late to matter"
    wait_for(lambda: "tcp_user_timeout=" in str(pod.machine.control_sql(
        "SELECT dbconn FROM bucardo.db WHERE name = 'Held'")), LIMIT, "the limits are put",
        explain=pod.machine.log_tail)
    pod.types(f"psql -X -q -h '{pod.machine.runtime}' -d bucardo -U bucardo "
              "-c \"SET session_replication_role = replica\" "
              "-c \"DELETE FROM bucardo.db WHERE name = 'Held'\"")
    assert "lost-ready" not in pod.machine.log()[mark:]
    assert pod.master() == master
    pod.replicates()


def test_a_sync_is_stopped_with_its_service_and_not_idle(pod):
    pod.machine.cli("service", "stop", "bucardo").check()
    pod.bucardo_is("down")
    pod.source.sql("UPDATE product SET price = price + 1" if pod.dbname == "shop"
                   else "UPDATE actor SET last_update = now()", dbname=pod.dbname)
    assert "operator" in pod.machine.wait_health("stopped", LIMIT)["why"]
    pod.machine.cli("service", "start", "bucardo").check()
    pod.replicates()
    pod.machine.wait_health("idle", LIMIT)


def test_a_sync_added_while_it_runs_is_served_without_a_reload_by_hand(pod, shared_workshop):
    other = shared_workshop.server("other")
    other.create_database("small")
    other.sql("CREATE TABLE extra (id int PRIMARY KEY, note text)", dbname="small")
    pod.source.sql("CREATE TABLE extra (id int PRIMARY KEY, note text)", dbname=pod.dbname)
    pod.machine.write_pgpass(pod.source, pod.dest, other)
    pod.types(f"""set -e
bucardo add db Other dbname=small host={other.address} port={other.port} user={other.user} \
    pass={other.password} conn=sslmode=require
bucardo add table extra db=MySourceDB relgroup=Extra
bucardo add dbgroup ExtraGroup MySourceDB:source Other:target
bucardo add sync ExtraSync relgroup=Extra dbs=ExtraGroup""")
    pod.source.sql("INSERT INTO extra VALUES (1, 'first')", dbname=pod.dbname)
    wait_for(lambda: other.sql("SELECT count(*) FROM extra", dbname="small") == [(1,)], LIMIT,
             "the row is on the other server", explain=pod.machine.log_tail)
    conn = pod.machine.control_sql("SELECT dbconn FROM bucardo.db WHERE name = 'Other'")
    assert "sslmode=require" in str(conn) and "tcp_user_timeout=" in str(conn)


def test_one_database_away_stops_only_its_own_sync(pod, shared_workshop):
    other = next(thing for thing in shared_workshop.things if thing.name == "other")
    other.stop("immediate")
    pod.machine.wait_health("unreachable", LIMIT, sync="ExtraSync")
    for number in range(3):
        pod.source.sql(f"INSERT INTO extra VALUES (10 + {number}, 'later')", dbname=pod.dbname)
        pod.replicates()
    other.start()
    wait_for(lambda: other.sql("SELECT count(*) FROM extra", dbname="small") == [(4,)], LIMIT,
             "what waited is on the other server", explain=pod.machine.log_tail)
    pod.replicates()


def test_a_sync_gets_a_checktime_and_the_record_of_runs_stays_bounded(pod):
    checktime = "SELECT name FROM sync WHERE autokick AND checktime = '15 seconds' ORDER BY 1"
    wait_for(lambda: pod.machine.control_sql(checktime) == ["ExtraSync", "MyDBSync"], LIMIT,
             "both syncs have a checktime", explain=pod.machine.log_tail)
    pod.machine.control_sql(
        "INSERT INTO syncrun (sync, status, started, ended, conflicts) SELECT 'MyDBSync', "
        "'Complete', now() - interval '1 day' - i * interval '1 s', now() - interval '1 day', 1 "
        "FROM generate_series(1, 3000) i")

    def conflicts():
        return next((s["conflicts"] for s in pod.machine.status_json()["syncs"]
                     if s["name"] == "MyDBSync"), None)
    wait_for(lambda: conflicts() == 3000, LIMIT, "conflicts are counted")
    pod.machine.write_config("version: 1\nbucardo: {syncrun_keep_rows: 50}\n")
    pod.machine.stop()
    pod.machine.start()
    pod.machine.wait_ready(60)
    kept = "SELECT count(*) FROM syncrun WHERE started < now() - interval '1 day'"

    def forgotten():
        assert conflicts() in (None, 3000), "what was counted goes with the rows"
        return int(pod.machine.control_sql(kept)[0]) <= 50
    wait_for(forgotten, 60, "old runs are forgotten", explain=pod.machine.log_tail)
    assert int(pod.machine.control_sql("SELECT sum(conflicts) FROM syncrun")[0]) == 3000
    wait_for(lambda: conflicts() == 3000, LIMIT, "they are told as before")
    pod.replicates()
