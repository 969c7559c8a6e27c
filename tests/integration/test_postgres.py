"""The control cluster and the connection to it: real processes, real kills, real files."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2
import pytest
from support.servers import bin_dir
from support.users import as_user, give, unprivileged
from support.waiting import wait_for

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BM_BUILD", "build")
PROGRAMS = ("cluster_check", "conn_check", "conn_life_check")


@pytest.fixture(scope="module")
def programs():
    """A folder with the helper programs, where the unprivileged user can read them."""
    targets = [f"{BUILD}/tests/integration/{name}" for name in PROGRAMS]
    sanitize = ["SANITIZE=address,undefined"] if "sanitize" in BUILD else []
    subprocess.run(["make", "-s", *sanitize, *targets], cwd=REPOSITORY, check=True)
    folder = tempfile.mkdtemp(prefix="bm-pg-bin-", dir="/tmp")
    for target in targets:
        shutil.copy(os.path.join(REPOSITORY, target), folder)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    yield folder
    shutil.rmtree(folder)


class Cluster:
    """One control cluster of our own making, cared for by cluster_check."""

    def __init__(self, folder, programs_folder):
        self.folder, self.programs = folder, programs_folder
        self.data = os.path.join(folder, "volume", "postgres", "data")
        self.sockets = os.path.join(folder, "run")
        os.mkdir(self.sockets)
        give(folder)
        give(self.sockets)
        self.process = None

    def argv(self, command, *more):
        check = os.path.join(self.programs, "cluster_check")
        return as_user([check, command, bin_dir(), self.data, self.sockets, *more])

    def run(self, command):
        """(exit code, what it said)"""
        done = subprocess.run(self.argv(command), capture_output=True, text=True, cwd="/",
                              timeout=60, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode, done.stdout.strip()

    def create(self):
        code, text = self.run("create")
        assert code == 0, text
        return self

    def major(self):
        return re.search(r"/(\d+)/bin", bin_dir()).group(1)

    def inspect(self):
        """("usable", "") or another state with its reason."""
        check = os.path.join(self.programs, "cluster_check")
        done = subprocess.run(as_user([check, "inspect", self.data, self.major()]), cwd="/",
                              capture_output=True, text=True, timeout=20, check=True)
        state, _, why = done.stdout.strip().partition(" ")
        return state, why

    def start(self, wait=True):
        log = open(os.path.join(self.folder, "log"), "ab")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            self.argv("serve"), stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        log.close()
        if wait:
            wait_for(lambda: self.value("SELECT 'up'"), 20, "the server answers", every=0.01,
                     explain=self.log_text)
        return self

    def log_text(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
            return log.read()

    def connect(self, user="postgres"):
        connection = psycopg2.connect(host=self.sockets, dbname="postgres", user=user)
        connection.autocommit = True
        return connection

    def value(self, sql):
        with contextlib.closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchone()[0]

    def processes(self):
        """Pids whose working directory is the data folder."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{name}/cwd") == self.data:
                    found.append(int(name))
        return found

    def control_state(self):
        text = subprocess.run([os.path.join(bin_dir(), "pg_controldata"), self.data],
                              capture_output=True, text=True, check=True).stdout
        return re.search(r"cluster state: +(.*)", text).group(1)

    def end(self):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait(10)
        wait_for(lambda: not self.processes(), 10, "the server is gone", every=0.01)


@pytest.fixture
def folder():
    made = tempfile.mkdtemp(prefix="bm-pg-", dir="/tmp")
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def empty(folder, programs):
    cluster = Cluster(folder, programs)
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def template(programs):
    """A cluster that was made once; tests get copies of it."""
    made = tempfile.mkdtemp(prefix="bm-pg-", dir="/tmp")
    os.chmod(made, 0o755)
    yield Cluster(made, programs).create()
    shutil.rmtree(made)


@pytest.fixture
def cluster(empty, template):
    subprocess.run(["cp", "-a", os.path.join(template.folder, "volume"), empty.folder], check=True)
    return empty


# ---- the connection ----

@pytest.mark.parametrize("program", ["conn_check", "conn_life_check"])
def test_the_connection_keeps_its_promises(cluster, program):
    done = subprocess.run(
        as_user([os.path.join(cluster.programs, program), bin_dir(), cluster.data, cluster.sockets]),
        capture_output=True, text=True, timeout=200, cwd="/", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ]" in done.stdout + done.stderr


# ---- making a cluster ----

def test_a_new_cluster_is_private_safe_and_reachable(empty):
    empty.create()
    assert empty.inspect() == ("usable", "")
    assert os.stat(empty.data).st_mode & 0o7777 == 0o700
    assert not os.path.exists(empty.data + ".new")
    empty.start()
    assert empty.value("SHOW server_encoding") == "UTF8"
    assert empty.value("SHOW data_checksums") == "on"
    assert empty.value("SHOW listen_addresses") == ""
    assert empty.value("SHOW fsync") == "on"
    assert empty.value("SHOW unix_socket_directories") == empty.sockets
    assert os.stat(os.path.join(empty.sockets, ".s.PGSQL.5432")).st_mode & 0o777 == 0o700


def test_the_machines_user_gets_in_as_postgres_and_bucardo_without_a_password(cluster):
    cluster.start()
    cluster.value("CREATE ROLE bucardo LOGIN SUPERUSER; SELECT 1")
    for role in ("postgres", "bucardo"):
        done = subprocess.run(
            as_user(["psql", "-XAtw", "-h", cluster.sockets, "-U", role, "-d", "postgres",
                     "-c", "SELECT current_user"]),
            capture_output=True, text=True, cwd="/", check=False)
        assert (done.stdout.strip(), done.stderr) == (role, "")


def test_a_cluster_is_never_made_over_data(cluster):
    before = sorted(os.listdir(cluster.data))
    code, text = cluster.run("create")
    assert code == 1
    assert "holds data" in text
    assert sorted(os.listdir(cluster.data)) == before


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to run as an unknown user")
def test_a_user_without_a_name_is_told_so(empty):
    os.chmod(empty.folder, 0o777)
    argv = [os.path.join(empty.programs, "cluster_check"), "create", bin_dir(), empty.data,
            empty.sockets]
    done = subprocess.run(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *argv],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "54321" in done.stdout and "/etc/passwd" in done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to own the folder")
def test_a_folder_that_may_not_be_written_is_named(empty):
    os.makedirs(os.path.dirname(empty.data), 0o755)
    code, text = empty.run("create")
    assert code == 1
    assert "Permission denied" in text and empty.data in text


def test_initdb_may_be_killed_at_any_moment(empty, rounds):
    """Each attempt finds what the one before it left; a whole one must succeed in the end."""
    step = rounds(0.1, 0.03)
    seen = set()
    delay = 0.0
    while "usable" not in seen:
        assert delay < 60, "initdb never came to its end"
        creation = subprocess.Popen(empty.argv("create"), stdout=subprocess.DEVNULL, cwd="/")
        with contextlib.suppress(subprocess.TimeoutExpired):
            creation.wait(delay)
        creation.kill()
        creation.wait()
        state, why = empty.inspect()
        assert state in ("absent", "interrupted", "usable"), why
        seen.add(state)
        delay = max(delay + step, delay * 1.1)  # a busy computer is slow, not endless
    assert "interrupted" in seen
    shutil.rmtree(empty.data)
    os.mkdir(empty.data + ".new")  # of another's making, or older: in the way all the same
    open(os.path.join(empty.data + ".new", "PG_VERSION"), "w", encoding="ascii").close()
    give(empty.data + ".new")
    assert empty.create().start().value("SELECT 7") == 7


# ---- looking at what is there ----

def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x40]))


DAMAGE = {
    "no version": (lambda d: os.remove(f"{d}/PG_VERSION"), "PG_VERSION"),
    "empty version": (lambda d: write(f"{d}/PG_VERSION", b""), "names no version"),
    "garbage version": (lambda d: write(f"{d}/PG_VERSION", b"\x00\xff17"), "names no version"),
    "huge version": (lambda d: write(f"{d}/PG_VERSION", b"15\n" * 999), "PG_VERSION"),
    "no control": (lambda d: os.remove(f"{d}/global/pg_control"), "pg_control"),
    "empty control": (lambda d: write(f"{d}/global/pg_control", b""), "0 bytes"),
    "cut control": (lambda d: os.truncate(f"{d}/global/pg_control", 512), "512 bytes"),
    "zero control": (lambda d: write(f"{d}/global/pg_control", bytes(8192)), "no control data"),
    "flipped control": (lambda d: flip(f"{d}/global/pg_control", 100), "wrong checksum"),
    "no wal": (lambda d: shutil.rmtree(f"{d}/pg_wal"), "pg_wal"),
    "no base": (lambda d: shutil.rmtree(f"{d}/base"), "base"),
    "a file": (lambda d: (shutil.rmtree(d), write(d, b"x")), "cannot read the folder"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_seen_and_named(cluster, kind):
    do, words = DAMAGE[kind]
    do(cluster.data)
    state, why = cluster.inspect()
    assert state == "damaged"
    assert words in why


@pytest.mark.parametrize("version", ["9.6", "11", "99"])
def test_another_major_is_foreign(cluster, version):
    write(f"{cluster.data}/PG_VERSION", version.encode() + b"\n")
    state, why = cluster.inspect()
    assert state == "foreign"
    assert f"PostgreSQL {version}" in why


def test_nothing_is_absent(empty):
    assert empty.inspect() == ("absent", "")
    os.makedirs(empty.data)
    give(empty.data)
    assert empty.inspect() == ("absent", "")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give the folder away")
def test_a_wrong_owner_is_named(cluster):
    os.chown(cluster.data, 0, 0)
    state, why = cluster.inspect()
    assert state == "damaged"
    assert "user id 0" in why and str(unprivileged().pw_uid) in why


# ---- what a dead machine leaves behind ----

@contextlib.contextmanager
def bystander():
    """A process of the machine's user that has nothing to do with PostgreSQL."""
    process = subprocess.Popen(as_user(["sleep", "600"]))
    try:
        wait_for(lambda: b"sleep" in open(f"/proc/{process.pid}/cmdline", "rb").read()[:5], 5,
                 "sleep runs", every=0.01)
        yield process
        assert process.poll() is None, "the bystander was killed"
    finally:
        process.kill()
        process.wait()


def leave_pid(path, pid):
    with open(path, encoding="utf-8") as file:
        rest = file.read().split("\n", 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{pid}\n{rest}")


@pytest.mark.parametrize("lock", ["postmaster.pid", "socket lock"])
def test_a_reused_pid_does_not_prevent_the_start(cluster, lock):
    cluster.start()
    path = {"postmaster.pid": os.path.join(cluster.data, "postmaster.pid"),
            "socket lock": os.path.join(cluster.sockets, ".s.PGSQL.5432.lock")}[lock]
    cluster.end()
    with bystander() as other:
        leave_pid(path, other.pid)
        assert cluster.start(wait=False).process.wait(10) != 0  # PostgreSQL alone is fooled
        assert "already exists" in cluster.log_text()
        assert cluster.run("clear") == (0, "clear")
        cluster.start()


def test_a_server_left_behind_is_shut_down_cleanly(cluster):
    cluster.start()
    with contextlib.closing(cluster.connect()) as session:
        session.cursor().execute("CREATE TABLE kept AS SELECT 1 AS a")
        assert cluster.run("clear") == (0, "clear")
    assert cluster.process.wait(10) == 0
    assert cluster.control_state() == "shut down"
    assert cluster.start().value("SELECT a FROM kept") == 1


def test_a_stopped_server_left_behind_is_ended_too(cluster):
    cluster.start()
    os.kill(cluster.process.pid, signal.SIGSTOP)
    assert cluster.run("clear") == (0, "clear")
    cluster.process.wait(10)
    cluster.start()


def test_a_server_without_its_pid_file_is_found(cluster):
    cluster.start()
    os.rename(f"{cluster.data}/postmaster.pid", f"{cluster.data}/elsewhere")
    assert cluster.run("clear") == (0, "clear")
    assert cluster.process.wait(10) is not None
    assert not cluster.processes()


def test_a_busy_backend_of_a_killed_postmaster_is_ended(cluster):
    """It does not notice the death, and keeps the shared memory."""
    cluster.start()
    session = cluster.connect()
    pid = cluster.value("SELECT 1") and session.get_backend_pid()
    sql = "DO $$ BEGIN LOOP END LOOP; END $$"
    runner = subprocess.Popen(["psql", "-Xw", "-h", cluster.sockets, "-U", "postgres", "-c", sql],
                              stderr=subprocess.DEVNULL)
    busy = wait_for(lambda: cluster.value(
        f"SELECT min(pid) FROM pg_stat_activity WHERE query LIKE 'DO %LOOP%' AND pid <> {pid} "
        "AND pid <> pg_backend_pid() AND state = 'active'"), 10, "the loop runs")
    os.kill(cluster.process.pid, signal.SIGKILL)
    cluster.process.wait(10)
    time.sleep(0.1)  # the others go; how soon does not matter here
    assert busy in cluster.processes()
    assert cluster.run("clear") == (0, "clear")
    assert not cluster.processes()
    runner.wait(10)
    cluster.start()
    session.close()


def test_clearing_leaves_another_cluster_in_the_same_folder_alone(cluster, template, programs):
    other = tempfile.mkdtemp(prefix="bm-pg-", dir="/tmp")
    os.chmod(other, 0o755)
    neighbour = Cluster(other, programs)
    subprocess.run(["cp", "-a", os.path.join(template.folder, "volume"), other], check=True)
    neighbour.sockets = cluster.sockets
    try:
        neighbour.start()
        assert cluster.run("clear") == (0, "clear")
        assert neighbour.value("SELECT 3") == 3
        assert os.path.exists(os.path.join(neighbour.data, "postmaster.pid"))
    finally:
        neighbour.end()
        shutil.rmtree(other)


def test_rights_widened_by_kubernetes_are_narrowed(cluster):
    """fsGroup does this to every folder of a volume at each mount."""
    os.chmod(cluster.data, 0o2770)
    assert cluster.run("clear") == (0, "clear")
    assert os.stat(cluster.data).st_mode & 0o777 == 0o700
    cluster.start()


def test_clearing_nothing_is_fine(empty):
    assert empty.run("clear") == (0, "clear")


# ---- the footprint ----

def test_an_idle_control_cluster_fits_into_the_containers_memory(cluster):
    """The whole container has 80 MB; PostgreSQL gets at most half of it."""
    cluster.start()
    cluster.value("SELECT count(*) FROM pg_class")
    total = 0
    for pid in cluster.processes():
        with contextlib.suppress(OSError):  # the session above may just be leaving
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                total += int(re.search(r"^Pss: +(\d+) kB", rollup.read(), re.M).group(1))
    print(f"PSS of the idle cluster: {total / 1024:.1f} MB")
    assert 1024 < total < 40 * 1024
