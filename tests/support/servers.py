"""Throw-away PostgreSQL servers: TCP with SSL and passwords, on a temporary folder.

    source = Server("source", folder)        # initdb, not started yet
    source.start()
    source.create_database("pagila")         # loads the sample of that name
    source.sql("SELECT count(*) FROM actor", dbname="pagila")
    source.stop("immediate")

sql() goes over the unix socket, so it works while the network is cut. Not durable on
purpose (fsync off): nothing here survives a crash of the computer. What was committed does
survive stop("immediate") and kill(), as on any server.
"""

import glob
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import psycopg2

from . import samples, templates
from .users import as_user, give
from .waiting import Abandon, wait_for

SUPERUSER = "catalyze"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "ssl": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "autovacuum_naptime": "10min",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def bin_dir():
    """Folder of the newest PostgreSQL server that is installed (BM_PGBIN overrides)."""
    given = os.environ.get("BM_PGBIN")
    if given:
        return given
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if not found:
        raise RuntimeError("no PostgreSQL server is installed: run scripts/install-packages --test")
    newest = max(found, key=lambda path: int(re.search(r"/(\d+)/bin", path).group(1)))
    return os.path.dirname(newest)


def free_port(address="127.0.0.1"):
    """A port that stays ours while the server is down: below the ephemeral range."""
    for _ in range(200):
        port = random.SystemRandom().randint(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((address if address != "0.0.0.0" else "", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no free TCP port between 15000 and 32000")


class Asked:
    """What is asked of any server that has connect(dbname) and psql(dbname, path)."""

    def sql(self, query, params=None, dbname="postgres"):
        """Run statements in one connection; the rows of the last one, or []."""
        connection = self.connect(dbname)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, params)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, query, params=None, dbname="postgres"):
        """The first column of the first row."""
        return self.sql(query, params, dbname)[0][0]

    def create_database(self, dbname, sample=None):
        """A database, empty or with the named sample (see samples.py) loaded."""
        self.sql(f'CREATE DATABASE "{dbname}"')
        if sample is not None:
            samples.load(self, dbname, sample)
        return self


class Server(Asked):
    """One PostgreSQL server. `address` is what clients are told, `listen` what it binds."""

    def __init__(self, name, folder, address="127.0.0.1", listen=None, netns=None, settings=None):
        self.name, self.address, self.netns = name, address, netns
        self.listen = listen or address
        self.folder = os.path.join(folder, name)
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.port = free_port("0.0.0.0" if netns else self.listen)
        self.user, self.password = SUPERUSER, f"secret-of-{name}"
        self.settings = {**SETTINGS, **(settings or {})}
        self.process = None
        self.wrap = []  # what its program is started by
        os.makedirs(self.folder, mode=0o755)
        give(self.folder)
        self._init()

    # ---- life ----

    def _init(self):
        if templates.copy(f"cluster-{self.name}", self._initdb, self.data):  # the password is in it, too
            templates.new_identity(self.data, bin_dir())
        self._run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "ec",
                   "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={self.name}", "-addext",
                   "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", f"{self.data}/server.crt",
                   "-keyout", f"{self.data}/server.key"])
        with open(f"{self.data}/pg_hba.conf", "a", encoding="utf-8") as out:
            out.write("hostssl all all 0.0.0.0/0 scram-sha-256\n")

    def _initdb(self, data):
        password_file = os.path.join(self.folder, "password")
        with open(password_file, "w", encoding="utf-8") as out:
            out.write(self.password + "\n")
        give(password_file)
        self._run([f"{bin_dir()}/initdb", "--no-sync", "-D", data, "-U", self.user,
                   "-E", "UTF8", "--locale=C.UTF-8", f"--pwfile={password_file}",
                   "--auth-local=trust", "--auth-host=scram-sha-256"])

    def _run(self, argv):
        done = subprocess.run(as_user(argv), cwd=self.folder, capture_output=True, text=True,
                              check=False, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"{argv[0]} failed: {done.stdout}{done.stderr}")

    def start(self, seconds=30):
        """Start and wait until it answers. After a kill, leftovers may delay the start."""
        deadline = time.monotonic() + seconds
        while True:
            self._spawn()
            try:
                wait_for(self._answers, max(1, deadline - time.monotonic()),
                         f"server {self.name} answers", explain=self.log_tail)
                return self
            except Abandon:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _spawn(self):
        argv = [f"{bin_dir()}/postgres", "-D", self.data, "-k", self.folder,
                "-p", str(self.port), "-c", f"listen_addresses={self.listen}"]
        for name, value in self.settings.items():
            argv += ["-c", f"{name}={value}"]
        prefix = self.netns.prefix() if self.netns else []
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(prefix + as_user(self.wrap + argv, pdeathsig="KILL"), stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.folder, start_new_session=True)

    def _answers(self):
        if self.process.poll() is not None:
            raise Abandon(f"server {self.name} ended at once:\n{self.log_tail()}")
        return self.sql("SELECT 1", dbname="postgres") == [(1,)]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, mode="fast", seconds=30):
        """mode: smart, fast, immediate."""
        self._end({"smart": signal.SIGTERM, "fast": signal.SIGINT,
                   "immediate": signal.SIGQUIT}[mode], seconds)

    def kill(self):
        """SIGKILL of the postmaster alone; its children notice and go by themselves."""
        self._end(signal.SIGKILL, 10)

    def _end(self, signo, seconds):
        if not self.running():
            return
        self.process.send_signal(signo)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def sigstop(self):
        """Freeze every process of the server: connections stay open, nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def sigcont(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, signo):
        pids = [self.process.pid]
        with open(f"/proc/{pids[0]}/task/{pids[0]}/children", encoding="ascii") as children:
            pids += [int(word) for word in children.read().split()]
        for pid in pids:
            try:
                os.kill(pid, signo)
            except ProcessLookupError:
                pass

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- use ----

    def connect(self, dbname, autocommit=True, over="socket", timeout=5, **options):
        """A psycopg2 connection, over the unix socket or `over="tcp"`."""
        where = {"host": self.folder} if over == "socket" else \
            {"host": self.address, "password": self.password, "sslmode": "require"}
        connection = psycopg2.connect(port=self.port, user=self.user, dbname=dbname,
                                      connect_timeout=timeout, **where, **options)
        connection.autocommit = autocommit
        return connection

    def psql(self, dbname, path=None, text=None):
        """Feed a file or a text to psql, all or nothing."""
        if text is None:
            with open(path, encoding="utf-8") as script:
                text = script.read()
        done = subprocess.run(
            [f"{bin_dir()}/psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "--single-transaction",
             "-h", self.folder, "-p", str(self.port), "-U", self.user, "-d", dbname],
            input=text, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"psql < {path or 'text'} failed: {done.stderr[-2000:]}")

    def copy_schema(self, dest, dbname):
        """The schema of `dbname` without rows or Bucardo's objects, into `dest`."""
        dump = subprocess.run(
            [f"{bin_dir()}/pg_dump", "--schema-only", "--exclude-schema=bucardo", "-h",
             self.folder, "-p", str(self.port), "-U", self.user, dbname],
            capture_output=True, text=True, check=True, timeout=120)
        dest.psql(dbname, text=dump.stdout)

    def ca_file(self):
        """Where whoever verifies this server finds what signed its certificate (itself)."""
        path = os.path.join(self.folder, "ca.crt")
        shutil.copy(os.path.join(self.data, "server.crt"), path)
        give(path)
        return path

    def pgpass_line(self):
        return f"{self.address}:{self.port}:*:{self.user}:{self.password}\n"

    def log_tail(self, lines=20):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return f"--- log of server {self.name}\n" + "".join(log.readlines()[-lines:])
        except OSError as error:
            return f"(no log of server {self.name}: {error})"
