"""Applications that make it hard to say what is under way: keys that change, rows that go and come again, truncates.

Traffic(server, dbname, steps=churn.STEPS) on TABLES; pgbench() beside it.
"""

import contextlib
import subprocess

from .servers import bin_dir
from .users import as_user

TABLES = """
    CREATE TABLE churn (id int PRIMARY KEY, v text, n int);
    INSERT INTO churn SELECT i, 'v', i FROM generate_series(1, 300) i;
    CREATE TABLE churn_pair (a text, b int, v text, PRIMARY KEY (a, b));
    INSERT INTO churn_pair SELECT 'k' || i % 7, i, 'v' FROM generate_series(1, 300) i;
    CREATE TABLE churn_emptied (id int PRIMARY KEY, v text);
    INSERT INTO churn_emptied SELECT i, 'v' FROM generate_series(1, 5) i;
"""


def _moved(cursor, rng, serial):
    first = rng.randint(1, 300)
    cursor.execute("UPDATE churn SET id = -id, v = %s WHERE abs(id) BETWEEN %s AND %s", (serial, first, first + 3))
    return "update"


def _swapped(cursor, rng, serial):
    cursor.execute("UPDATE churn_pair SET a = 'k' || (substr(a, 2)::int + 1) %% 7, v = %s WHERE b = %s",
                   (serial, rng.randint(1, 300)))
    return "update"


def _gone_and_back(cursor, rng, serial):
    number = rng.randint(1, 300)
    cursor.execute("DELETE FROM churn_pair WHERE b = %s RETURNING a", (number,))
    row = cursor.fetchone()
    if rng.random() < 0.5:
        cursor.connection.commit()
    if row:
        cursor.execute("INSERT INTO churn_pair VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", (*row, number, serial))
    return "delete"


def _undone(cursor, rng, serial):
    number = rng.randint(1, 300)
    cursor.execute("SAVEPOINT a; UPDATE churn SET v = 'undone' WHERE n = %s; ROLLBACK TO a;"
                   "UPDATE churn SET v = %s WHERE n = %s", (number, serial, number + 1))
    return "update"


def _emptied(cursor, rng, serial):
    if rng.random() < 0.3:
        cursor.execute("TRUNCATE churn_emptied")
    cursor.execute("INSERT INTO churn_emptied SELECT i, %s FROM generate_series(1, 5) i"
                   " ON CONFLICT (id) DO UPDATE SET v = excluded.v", (serial,))
    return "insert"


STEPS = (_moved, _swapped, _gone_and_back, _undone, _emptied)


def _client(server, dbname):
    return [f"{bin_dir()}/pgbench", "-h", server.folder, "-p", str(server.port), "-U", server.user], dbname


def prepare_bench(server, dbname):
    client, name = _client(server, dbname)
    subprocess.run(as_user([*client, "-i", "-q", "-s", "1", name]), check=True, capture_output=True, timeout=60)
    server.sql("ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY", dbname=dbname)


@contextlib.contextmanager
def bench(server, dbname, rate=60):
    """pgbench writes meanwhile."""
    client, name = _client(server, dbname)
    with subprocess.Popen(as_user([*client, "-n", "-c", "2", "-T", "3600", "-R", str(rate), name], pdeathsig="KILL"),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        try:
            yield
            assert load.poll() is None, "pgbench has ended"
        finally:
            load.terminate()
