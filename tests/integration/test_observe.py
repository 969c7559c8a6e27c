"""The sampler against real servers with real Bucardo objects, and against workers that lie.

No Bucardo daemon runs: rows of runs are written by hand, so that each state holds still.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest
from support.init import status_field
from support.servers import Server, bin_dir
from support.users import as_user, give
from support.waiting import wait_for

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYNC = "shop_sync"


class Control(Server):
    """The control cluster: unix socket only, with Bucardo installed."""

    def __init__(self, folder):
        super().__init__("control", folder)
        self.listen, self.port = "", 5432  # the sampler's fixed place
        self.pgpass = os.path.join(self.folder, "pgpass")

    def _spawn(self):
        # validate_sync connects from inside the server: libpq looks into its HOME.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", self.folder)
            super()._spawn()

    def bucardo(self, *words):
        environment = {**os.environ, "HOME": self.folder, "PGHOST": self.folder,
                       "PATH": f"{bin_dir()}:{os.environ['PATH']}",
                       "PGPASSFILE": self.pgpass}
        done = subprocess.run(as_user(["bucardo", *words]), cwd=self.folder, env=environment,
                              capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"bucardo {words}: {done.stdout}{done.stderr}"

    def install(self, *servers):
        with open(self.pgpass, "w", encoding="utf-8") as out:
            out.writelines(server.pgpass_line() for server in servers)
        os.chmod(self.pgpass, 0o600)
        give(self.pgpass)
        with open(os.path.join(self.folder, ".bucardorc"), "w", encoding="utf-8") as out:
            out.write(f"dbhost = {self.folder}\npiddir = {self.folder}\nquiet = 1\n")
        self.bucardo(f"--dbuser={self.user}", "--dbname=postgres", "install", "--batch")

    def add_sync(self, source, dest, dbname):
        for name, server in (("source", source), ("dest", dest)):
            self.bucardo("add", "db", name, f"dbname={dbname}", f"host={server.address}",
                         f"port={server.port}", f"user={server.user}",
                         f"pass={server.password}", "conn=sslmode=require")
        self.bucardo("add", "all", "tables", "db=source", "relgroup=shop_rg", "pkonly")
        self.bucardo("add", "dbgroup", "shop_dbg", "source:source", "dest:target")
        self.bucardo("add", "sync", SYNC, "relgroup=shop_rg", "dbs=shop_dbg")

    def run_sql(self, query, params=None):
        return self.sql(query, params, dbname="bucardo")


class Observer:
    """observer_check as a process; reads what its callbacks got."""

    def __init__(self, helper, socket_dir, pgpass, program="/proc/self/exe", interval=200,
                 timeout=2000):
        self.output = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen(
            as_user([helper, program, socket_dir, pgpass, str(interval), str(timeout)]),
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": socket_dir})

    def lines(self):
        """(kind, worker's pid, rest) of each line so far."""
        size = os.fstat(self.output.fileno()).st_size
        text = os.pread(self.output.fileno(), size, 0).decode()
        return [tuple(line.split(" ", 2)) for line in text.split("\n")[:-1]]

    def samples(self):
        return [json.loads(line[2]) for line in self.lines() if line[0] == "sample"]

    def pid(self):
        return int([line[1] for line in self.lines() if line[0] == "sample"][-1])

    def downs(self):
        return [line[2] for line in self.lines() if line[0] == "down"]

    def wait(self, condition, what, seconds=15):
        """Wait until a new sample fulfils `condition(sample, sync, dbs)`; returns it."""
        seen = len(self.samples())

        def newest():
            samples = self.samples()
            for sample in samples[max(seen - 1, 0):]:
                sync = next(iter(sample["syncs"]), None)
                if condition(sample, sync, {db["name"]: db for db in sample["dbs"]}):
                    return sample
            return None
        return wait_for(newest, seconds, what, explain=self.log_tail)

    def log_tail(self):
        return "\n".join(" ".join(line) for line in self.lines()[-8:])

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.log_tail()
        self.output.close()


@pytest.fixture(scope="module")
def helper():
    """The helper program where the unprivileged user can read it."""
    path = os.environ.get("BM_OBSERVER_CHECK") or os.path.join(
        REPOSITORY, "build", "tests", "integration", "observer_check")
    assert os.path.exists(path), f"'{path}' is not there: run make helpers"
    folder = tempfile.mkdtemp(prefix="bm-observe-", dir="/tmp")
    os.chmod(folder, 0o755)
    yield shutil.copy(path, folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def world(shared_workshop):
    """(control, source, dest): shop with a sync, the destination holding the same schema."""
    source = shared_workshop.server("source").create_database("shop", "shop")
    dest = shared_workshop.server("dest").create_database("shop", "shop")
    control = Control(shared_workshop.folder)
    shared_workshop.things.append(control)
    control.start()
    control.install(source, dest)
    control.add_sync(source, dest, "shop")
    return control, source, dest


@pytest.fixture
def observer(world, helper):
    control, source, dest = world
    made = Observer(helper, control.folder, control.pgpass)
    yield made
    made.close()
    for server in (source, dest):
        if server.running():
            server.sigcont()
        else:
            server.start()
    control.run_sql("DELETE FROM bucardo.syncrun; DELETE FROM bucardo.dbrun")
    source.sql(_all_done(source), dbname="shop")


def _all_done(source):
    """SQL that marks all delta rows as replicated, as a run would."""
    names = source.sql("SELECT deltaname, trackname FROM bucardo.bucardo_delta_names", dbname="shop")
    marks = [f"INSERT INTO bucardo.{track} SELECT DISTINCT txntime, 'dbgroup shop_dbg' "
             f"FROM bucardo.{delta}" for delta, track in names]
    return "; ".join(marks)


def _is_quiet(_sample, sync, dbs):
    return (sync is not None and sync["backlog_rows"] == 0 and not sync["run_open"] and
            all(db["reach"] == "yes" for db in dbs.values()))


def test_a_quiet_sync_is_told_whole_and_then_seldom(observer):
    sample = observer.wait(_is_quiet, "all is quiet")
    assert {db["name"]: db["role"] for db in sample["dbs"]} == {"source": "source", "dest": "target"}
    sync = sample["syncs"][0]
    assert (sync["name"], sync["active"], sync["lag_ms"]) == (SYNC, True, 0)
    assert sorted(sync["dbs"]) == [0, 1]
    before = len(observer.samples())
    time.sleep(6)  # the rate is what is tested: a line in 5 s
    assert 1 <= len(observer.samples()) - before <= 2
    assert observer.downs() == []


# ---- backlog and lag ----

def test_the_backlog_is_counted_and_its_age_told(world, observer):
    _, source, _ = world
    observer.wait(_is_quiet, "all is quiet")
    source.sql("UPDATE product SET weight = 2 WHERE product_id <= 7", dbname="shop")
    sample = observer.wait(lambda _s, sync, _d: sync["backlog_rows"] > 0, "a backlog", 2)
    assert sample["syncs"][0]["backlog_rows"] == 7
    source.sql("DELETE FROM order_line WHERE ctid = (SELECT min(ctid) FROM order_line)",
               dbname="shop")
    observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == 8, "one row more")
    aged = observer.wait(lambda _s, sync, _d: sync["lag_ms"] > 1500, "the lag grows")
    assert aged["syncs"][0]["lag_ms"] < 5000
    source.sql(_all_done(source), dbname="shop")
    done = observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == 0, "all done")
    assert done["syncs"][0]["lag_ms"] == 0


def test_what_another_group_has_applied_is_still_backlog(world, observer):
    _, source, _ = world
    source.sql("UPDATE product SET weight = 3 WHERE product_id = 1", dbname="shop")
    source.sql(_all_done(source).replace("shop_dbg", "other"), dbname="shop")
    observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == 1, "the row is still to do")


def test_a_truncate_that_waits_is_backlog(world, observer):
    _, source, _ = world
    source.sql("INSERT INTO bucardo.bucardo_truncate_trigger (tablename, sname, tname, sync) "
               "VALUES ('product'::regclass, 'public', 'product', %s)", (SYNC,), dbname="shop")
    observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == 1, "the truncate is seen")
    source.sql("UPDATE bucardo.bucardo_truncate_trigger SET replicated = now()", dbname="shop")
    observer.wait(_is_quiet, "and when it is done")


def test_a_line_comes_each_interval_while_something_moves(world, observer):
    _, source, _ = world
    source.sql("UPDATE product SET weight = 4 WHERE product_id = 1", dbname="shop")
    observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == 1, "a backlog")
    before = len(observer.samples())
    time.sleep(2)  # the rate is what is tested: one in 200 ms
    assert 6 <= len(observer.samples()) - before <= 12


def test_a_locked_delta_table_makes_the_backlog_unknown_not_the_source_away(world, observer):
    _, source, _ = world
    observer.wait(_is_quiet, "all is quiet")
    holder = source.connect("shop", autocommit=False)
    holder.cursor().execute("LOCK TABLE bucardo.delta_public_product IN ACCESS EXCLUSIVE MODE")
    sample = observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == -1, "unknown")
    assert sample["syncs"][0]["lag_ms"] == -1
    assert all(db["reach"] == "yes" for db in sample["dbs"])
    holder.close()
    observer.wait(_is_quiet, "known again")


# ---- runs ----

def _open_run(control, status="Begin txn (KID 1)", **backends):
    control.run_sql("INSERT INTO bucardo.syncrun (sync, status, started) "
                    "VALUES (%s, %s, now() - interval '3 s')", (SYNC, status))
    for name, pid in backends.items():
        control.run_sql("INSERT INTO bucardo.dbrun (sync, dbname, pgpid) VALUES (%s, %s, %s)",
                        (SYNC, name, pid))


def test_an_open_run_is_told_with_its_phase_and_age(world, observer):
    control, _, _ = world
    observer.wait(_is_quiet, "all is quiet")
    _open_run(control, "Copying from source.public.product")
    sample = observer.wait(lambda _s, sync, _d: sync["run_open"], "the run", 2)
    sync = sample["syncs"][0]
    assert sync["run_status"] == "Copying from source.public.product"
    assert 3000 <= sync["run_age_ms"] < 8000
    control.run_sql("UPDATE bucardo.syncrun SET ended = now(), lastgood = true, "
                    "status = 'Complete (KID 1)'")
    sample = observer.wait(lambda _s, sync, _d: not sync["run_open"], "its end")
    assert 0 <= sample["syncs"][0]["good_age_ms"] < 3000
    assert sample["syncs"][0]["bad_age_ms"] == -1


def test_failed_runs_are_told_with_their_error(world, observer):
    control, _, _ = world
    observer.wait(_is_quiet, "all is quiet")
    control.run_sql("""
        INSERT INTO bucardo.syncrun (sync, status, started, ended, lastbad) VALUES
        ('shop_sync', 'Failed : old (KID 1)', now() - interval '9 min', now() - interval '9 min', false),
        ('shop_sync', 'Failed : first (KID 2)', now(), now(), false),
        ('shop_sync', 'Failed : extra data after "x" (KID 3)', now(), now(), true)""")
    sample = observer.wait(lambda _s, sync, _d: sync["bad_text"] != "", "the failure", 2)
    sync = sample["syncs"][0]
    assert sync["bad_text"] == 'extra data after "x"'
    assert sync["recent_failures"] == 2
    assert 0 <= sync["bad_age_ms"] < 3000
    assert sync["good_age_ms"] == -1


def _kid_session(server, dbname, pid=1):
    connection = server.connect(dbname, autocommit=False,
                                application_name=f"bucardo KID ({SYNC}) (PID {pid})")
    return connection, connection.info.backend_pid


def test_a_lock_on_the_destination_is_told_with_its_holder(world, observer):
    control, _, dest = world
    holder = dest.connect("shop", autocommit=False)
    holder.cursor().execute("LOCK TABLE product IN ACCESS EXCLUSIVE MODE /* the culprit */")
    kid, backend = _kid_session(dest, "shop")
    try:
        _open_run(control, dest=backend)
        with kid.cursor() as cursor:
            cursor.execute("SET lock_timeout = '4s'")
            _async(cursor, "DELETE FROM product")
            sample = observer.wait(lambda _s, sync, _d: sync["blocker_pid"] != 0, "the blocker", 4)
        sync = sample["syncs"][0]
        assert sync["blocker_pid"] == holder.info.backend_pid
        assert "the culprit" in sync["blocker_query"]
        assert sync["blocker_db"] == "dest"
    finally:
        holder.close()
    observer.wait(lambda _s, sync, _d: sync["blocker_pid"] == 0, "the lock is gone")
    kid.close()


def _async(cursor, query):
    """Run a statement that may fail, in a thread that ends with it."""
    def run():
        try:
            cursor.execute(query)
        except Exception:  # cut off, or the lock timed out: either is fine
            pass
    threading.Thread(target=run, daemon=True).start()


def test_a_run_moves_while_its_kid_uses_the_processor_and_only_then(world, observer):
    control, _, _ = world
    busy = subprocess.Popen(as_user(["/usr/bin/python3", "-c", "while True: pass"]))
    session, _ = _kid_session(control, "bucardo", busy.pid)
    try:
        _open_run(control)
        first = observer.wait(lambda _s, sync, _d: sync["run_moved"] > 100, "it moves")
        moved = first["syncs"][0]["run_moved"]
        observer.wait(lambda _s, sync, _d: sync["run_moved"] > moved + 300, "and goes on moving")
        busy.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        still = observer.samples()[-1]["syncs"][0]["run_moved"]
        time.sleep(1)  # nothing may happen in this time
        assert observer.samples()[-1]["syncs"][0]["run_moved"] - still <= 20
    finally:
        busy.kill()
        busy.wait()
        session.close()


def test_a_run_moves_while_the_destination_works_for_it(world, observer):
    control, _, dest = world
    kid, backend = _kid_session(dest, "shop")
    _open_run(control, dest=backend)
    observer.wait(lambda _s, sync, _d: sync["run_open"], "the run")
    with kid.cursor() as cursor:
        cursor.execute("SET statement_timeout = '5s'")
        _async(cursor, "SELECT count(*) FROM generate_series(1, 1000000000::bigint) g")
        sample = observer.wait(lambda _s, sync, _d: sync["run_moved"] > 300, "it moves", 8)
    kid.cancel()
    time.sleep(0.5)
    still = observer.samples()[-1]["syncs"][0]["run_moved"]
    assert still >= sample["syncs"][0]["run_moved"]
    time.sleep(1)  # the session waits for its client now
    assert observer.samples()[-1]["syncs"][0]["run_moved"] == still
    kid.close()


# ---- databases that are away ----

def test_a_server_that_is_down_is_named_and_found_again(world, observer):
    _, _, dest = world
    observer.wait(_is_quiet, "all is quiet")
    dest.stop("immediate")
    sample = observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "no", "dest is away", 3)
    away = {db["name"]: db for db in sample["dbs"]}
    assert away["source"]["reach"] == "yes"
    observer.wait(lambda _s, _y, dbs: "refused" in dbs["dest"]["error"], "the reason")
    sample = observer.wait(lambda _s, _y, dbs: dbs["dest"]["since_ms"] > 1000, "for how long")
    assert {db["name"]: db for db in sample["dbs"]}["source"]["since_ms"] > 1000
    dest.start()
    sample = observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "yes", "it is back", 3)
    back = {db["name"]: db for db in sample["dbs"]}["dest"]
    assert back["error"] == "" and back["since_ms"] < 3000


def test_a_server_that_hangs_delays_nobody_else(world, observer):
    _, source, dest = world
    observer.wait(_is_quiet, "all is quiet")
    dest.sigstop()
    source.sql("UPDATE product SET weight = 5 WHERE product_id <= 3", dbname="shop")
    sample = observer.wait(lambda _s, sync, _d: sync["backlog_rows"] == 3, "the backlog", 1)
    assert {db["name"]: db for db in sample["dbs"]}["dest"]["reach"] == "yes"  # as known last
    sample = observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "no", "dest hangs", 4)
    assert "no answer" in {db["name"]: db for db in sample["dbs"]}["dest"]["error"]
    dest.sigcont()
    observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "yes", "it goes on", 4)


def test_a_source_that_is_away_makes_the_backlog_unknown(world, observer):
    _, source, _ = world
    observer.wait(_is_quiet, "all is quiet")
    source.stop("immediate")
    sample = observer.wait(lambda _s, _y, dbs: dbs["source"]["reach"] == "no", "it is away", 3)
    assert sample["syncs"][0]["backlog_rows"] == sample["syncs"][0]["lag_ms"] == -1


def test_a_refused_password_is_told_without_the_password(world, observer):
    control, _, _ = world
    control.run_sql("UPDATE bucardo.db SET dbpass = 'wrong-secret' WHERE name = 'dest'")
    try:
        sample = observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "no", "refused", 4)
        error = {db["name"]: db for db in sample["dbs"]}["dest"]["error"]
        assert "password authentication failed" in error
    finally:
        control.run_sql("UPDATE bucardo.db SET dbpass = 'secret-of-dest' WHERE name = 'dest'")
    observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "yes", "and accepted again", 4)
    assert "secret" not in "".join(line[2] for line in observer.lines())


def test_settings_that_cannot_be_parsed_are_told_without_repeating_them(world, observer):
    control, _, _ = world
    control.run_sql("UPDATE bucardo.db SET dbconn = 'sslmode=require;password' WHERE name = 'dest'")
    try:
        sample = observer.wait(lambda _s, _y, dbs: dbs["dest"]["reach"] == "no", "told", 4)
        assert "dbconn" in {db["name"]: db for db in sample["dbs"]}["dest"]["error"]
    finally:
        control.run_sql("UPDATE bucardo.db SET dbconn = 'sslmode=require' WHERE name = 'dest'")


def test_a_new_database_and_a_sync_that_is_switched_off_are_noticed(world, observer):
    control, _, dest = world
    observer.wait(_is_quiet, "all is quiet")
    control.run_sql("INSERT INTO bucardo.db (name, dbhost, dbport, dbname, dbuser, dbpass, dbconn) "
                    "SELECT 'third', dbhost, dbport, dbname, dbuser, dbpass, dbconn "
                    "FROM bucardo.db WHERE name = 'dest'")
    control.run_sql("UPDATE bucardo.sync SET status = 'inactive'")
    try:
        observer.wait(lambda _s, sync, dbs: "third" in dbs and dbs["third"]["reach"] == "yes" and
                      not sync["active"], "both", 3)
    finally:
        control.run_sql("DELETE FROM bucardo.db WHERE name = 'third'")
        control.run_sql("UPDATE bucardo.sync SET status = 'active'")
    observer.wait(lambda _s, sync, dbs: "third" not in dbs and sync["active"], "and back", 3)
    wait_for(lambda: dest.value("SELECT count(*) FROM pg_stat_activity WHERE "
                                "application_name = 'bucardo-machine observe'") == 1,
             5, "the connection of the removed database is closed")


def test_our_sessions_are_read_only(world, observer):
    _, source, _ = world
    observer.wait(_is_quiet, "all is quiet")
    # Nothing of ours is ever open in a transaction for long, and none has an xid.
    assert source.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = "
                      "'bucardo-machine observe' AND backend_xid IS NOT NULL") == []


# ---- the worker's own life ----

def _is_dead(pid):
    """Gone, or an orphan that nobody reaps: a container's PID 1 may never look."""
    try:
        return status_field(pid, "State").startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_killed_worker_is_told_and_replaced(observer):
    observer.wait(_is_quiet, "all is quiet")
    first = observer.pid()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: observer.pid() != first, 5, "another worker", explain=observer.log_tail)
    assert "killed by SIGKILL" in observer.downs()[0]


def test_a_stopped_observer_has_no_worker_and_can_start_again(observer):
    observer.wait(_is_quiet, "all is quiet")
    first = observer.pid()
    observer.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: ("stopped", "0") in [line[:2] for line in observer.lines()], 3, "stopped")
    wait_for(lambda: _is_dead(first), 3, "the worker is gone")
    observer.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: observer.pid() != first, 3, "another worker")
    assert observer.downs() == []


def test_a_worker_does_not_outlive_its_parent(world, helper):
    control, _, _ = world
    made = Observer(helper, control.folder, control.pgpass)
    made.wait(_is_quiet, "all is quiet")
    worker = made.pid()
    made.process.kill()
    made.process.wait()
    wait_for(lambda: _is_dead(worker), 2, "the worker is gone")


def test_a_worker_ends_at_once_when_its_stdin_is_closed(world, helper):
    control, _, dest = world
    dest.sigstop()  # not even a thread that hangs holds it up
    request = {"v": 1, "socket_dir": control.folder, "interval_ms": 200, "timeout_ms": 5000}
    worker = subprocess.Popen(as_user([helper, "worker", "observe"]), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env={**os.environ, "HOME": control.folder})
    try:
        worker.stdin.write(json.dumps(request).encode() + b"\n")
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["v"] == 1
        closed = time.monotonic()
        worker.stdin.close()
        assert worker.wait(2) == 0
        assert time.monotonic() - closed < 0.5
    finally:
        worker.kill()
        worker.stdout.close()
        dest.sigcont()


def test_a_poke_makes_it_look_at_once(world, helper):
    control, source, _ = world
    made = Observer(helper, control.folder, control.pgpass, interval=30000)
    try:
        made.wait(_is_quiet, "all is quiet")
        source.sql("UPDATE product SET weight = 6 WHERE product_id = 1", dbname="shop")
        made.process.send_signal(signal.SIGUSR1)
        made.wait(lambda _s, sync, _d: sync["backlog_rows"] == 1, "the backlog", 2)
    finally:
        made.close()
        source.sql(_all_done(source), dbname="shop")


def test_a_control_database_that_is_away_is_told_once_and_found_again(world, observer):
    control, _, _ = world
    observer.wait(_is_quiet, "all is quiet")
    worker = observer.pid()
    control.stop("fast")
    wait_for(observer.downs, 3, "told", explain=observer.log_tail)
    before = len(observer.samples())
    control.start()
    wait_for(lambda: len(observer.samples()) > before, 5, "samples again")
    assert len(observer.downs()) == 1 and "control database" in observer.downs()[0]
    assert observer.pid() == worker


# ---- workers that lie ----

def _fake(folder, script):
    path = os.path.join(folder, "fake")
    with open(path, "w", encoding="utf-8") as out:
        out.write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)
    return path


@pytest.mark.parametrize("script, told", [
    ("echo hello; exec sleep 60", "not JSON"),
    ("echo '{\"v\":1}'; exec sleep 60", "'dbs' is not a list"),
    ("head -c 2000000 /dev/zero | tr '\\0' x; exec sleep 60", "too long"),
    ("exit 3", "exit code 3"),
    ("exec 1>&-; exec sleep 60", "says nothing, and nothing shows that it works"),
])
def test_a_worker_that_is_no_good_is_replaced_again_and_again(helper, script, told):
    folder = tempfile.mkdtemp(prefix="bm-fake-", dir="/tmp")
    os.chmod(folder, 0o755)
    made = Observer(helper, folder, "/nowhere", program=_fake(folder, script))
    try:
        slow = "says nothing" in told
        wait_for(lambda: len(made.downs()) >= (1 if slow else 3), 60 if slow else 8, "replaced",
                 explain=made.log_tail)
        assert all(told in why for why in made.downs())
    finally:
        made.close()
        shutil.rmtree(folder)


def test_a_program_that_is_not_there_is_told(helper):
    made = Observer(helper, "/tmp", "/nowhere", program="/nowhere/bucardo-machine")
    try:
        wait_for(made.downs, 3, "told")
        assert "/nowhere/bucardo-machine" in made.downs()[0]
    finally:
        made.close()
