"""What several benches share: a wide table, and the processor time of a tree of processes."""

import os


def make_wide(server, size):
    rows = int(1500000 * size)
    server.sql("CREATE TABLE wide (id bigserial PRIMARY KEY, a integer, b text, c timestamptz, "
               "d numeric(12, 2), e uuid, f jsonb, g boolean, h double precision, i text);"
               "INSERT INTO wide (a, b, c, d, e, f, g, h, i) SELECT (i::bigint * 7919) % 1000003, "
               "md5(i::text), timestamptz '2024-01-01' + i * interval '1 s', (i % 100000) / 100.0, "
               "md5((i * 3)::text)::uuid, jsonb_build_object('k', i, 'v', md5((i + 1)::text)), "
               f"i % 2 = 0, i / 3.0, repeat(md5((i + 2)::text), 5) FROM generate_series(1, {rows}) i;"
               "CREATE INDEX ON wide (a); CREATE INDEX ON wide (b); CREATE INDEX ON wide (c);"
               "CREATE INDEX ON wide (e)", dbname="wide")


def cpu_of(pid):
    """Seconds of a process and of its children, those that ended included."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    seconds = sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    for child in children:
        try:
            seconds += cpu_of(child)
        except (FileNotFoundError, ProcessLookupError):
            pass  # ended: its parent has its seconds
    return seconds
