"""Is the content of two databases the same? Own SQL; shares nothing with what is tested.

differences(a, b, dbname) returns readable lines; an empty list means equal. Every ordinary
table, unlogged ones and partitions included, outside the catalogs and Bucardo's own schema is
compared by row count and by sums of the md5 of each row's text in UTF-8 (order does not matter,
duplicates do), every large object by its md5, every sequence by its last value; on demand every
materialised view as a table. For a table that differs, the first differing rows are named by
primary key.
"""

from .waiting import TooLate, wait_for

_FIXED = ("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; "
          "SET bytea_output = 'hex'; SET extra_float_digits = 1")

_RELATIONS = """
SELECT format('%%I.%%I', n.nspname, c.relname) AS name, c.oid
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = %s AND n.nspname !~ '^(pg_|information_schema$|bucardo)'
   AND c.relispopulated
 ORDER BY 1"""

# A value of 500 MB cannot be written out as text.
_COLUMNS = """
SELECT CASE atttypid WHEN 'bytea'::regtype THEN pg_catalog.format('pg_catalog.md5(%%I)', attname)
       ELSE pg_catalog.quote_ident(attname) END FROM pg_catalog.pg_attribute
 WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attname"""

_KEY = """
SELECT pg_catalog.quote_ident(a.attname)
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a
    ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = %s AND i.indisprimary ORDER BY a.attname"""


class _Side:
    """One database, read in one snapshot."""

    def __init__(self, server, dbname, path="''"):
        self.label = server.name
        self.connection = server.connect(dbname, autocommit=False)
        self.cursor = self.connection.cursor()
        self.cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        self.cursor.execute(f"{_FIXED}; SET search_path = {path}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def rows(self, query, params=None):
        self.cursor.execute(query, params)
        return self.cursor.fetchall()

    def relations(self, kind):
        return dict(self.rows(_RELATIONS, (kind,)))

    def columns(self, oid):
        return [name for (name,) in self.rows(_COLUMNS, (oid,))]

    def digest(self, table, columns):
        half = "pg_catalog.sum(('x' || pg_catalog.substr(h, {}, 16))::bit(64)::bigint)"
        return self.rows(f"SELECT pg_catalog.count(*), {half.format(1)}, {half.format(17)} FROM "
                         f"(SELECT pg_catalog.md5(pg_catalog.convert_to(ROW({', '.join(columns)})"
                         f"::text, 'UTF8')) AS h FROM ONLY {table}) hashes")[0]

    def hashes(self, table, key, columns):
        return dict(self.rows(f"SELECT ROW({', '.join(key)})::text, "
                              f"ROW({', '.join(columns)})::text FROM ONLY {table}"))


def _table_differences(a, b, table, oid_a, oid_b, named):
    columns, other = a.columns(oid_a), b.columns(oid_b)
    if columns != other:
        return [f"{table}: columns differ: {a.label} has {', '.join(columns)}; "
                f"{b.label} has {', '.join(other)}"]
    if not columns:
        return []
    digest_a, digest_b = a.digest(table, columns), b.digest(table, columns)
    if digest_a == digest_b:
        return []
    lines = [f"{table}: {a.label} has {digest_a[0]} rows, {b.label} has {digest_b[0]}"]
    if not named:
        return lines
    key = [name for (name,) in a.rows(_KEY, (oid_a,))] or columns
    rows_a, rows_b = a.hashes(table, key, columns), b.hashes(table, key, columns)
    for name in sorted(rows_a.keys() | rows_b.keys()):
        if rows_a.get(name) != rows_b.get(name):
            lines.append(f"  {name}: {a.label} {rows_a.get(name, '(none)')} "
                         f"| {b.label} {rows_b.get(name, '(none)')}")
        if len(lines) > 5:
            break
    return lines


def _sequence_differences(a, b, name):
    # last_value together with is_called says which value comes next.
    query = f"SELECT last_value, is_called FROM {name}"
    value_a, value_b = a.rows(query)[0], b.rows(query)[0]
    if value_a == value_b:
        return []
    return [f"sequence {name}: {a.label} {value_a} | {b.label} {value_b}"]


def _large_object_differences(a, b):
    query = ("SELECT oid, pg_catalog.md5(pg_catalog.lo_get(oid)) "
             "FROM pg_catalog.pg_largeobject_metadata")
    in_a, in_b = dict(a.rows(query)), dict(b.rows(query))
    return [f"large object {oid}: {a.label} {in_a.get(oid, '(none)')} "
            f"| {b.label} {in_b.get(oid, '(none)')}"
            for oid in sorted(in_a.keys() | in_b.keys()) if in_a.get(oid) != in_b.get(oid)]


def differences(a, b, dbname, dbname_b=None, sequences=True, matviews=False, path="''"):
    """Readable differences between database `dbname` of servers `a` and `b`.

    `path`: a search_path, where a query of a table calls functions that need one.
    """
    found = _compared(a, b, dbname, dbname_b, sequences, matviews, path)
    return [line for lines in found.values() for line in lines]


def _compared(a, b, dbname, dbname_b=None, sequences=True, matviews=False, path="''", only=None,
              named=True):
    """What differs, each with its lines. `only`: nothing but these; `named`: with their rows."""
    found = {}

    def compare(name, lines):
        if (only is None or name in only) and (told := lines()):
            found[name] = told

    with _Side(a, dbname, path) as left, _Side(b, dbname_b or dbname, path) as right:
        compare("large objects", lambda: _large_object_differences(left, right))
        for kind, what, wanted in (("r", "table", True), ("S", "sequence", sequences),
                                   ("m", "materialised view", matviews)):
            if not wanted:
                continue
            in_a, in_b = left.relations(kind), right.relations(kind)
            for name in sorted(in_a.keys() ^ in_b.keys()):
                where = a.name if name in in_a else b.name
                compare(name, lambda n=name, w=what, s=where: [f"{w} {n} is only in {s}"])
            for name in sorted(in_a.keys() & in_b.keys()):
                compare(name, lambda n=name, k=kind, x=in_a, y=in_b: _sequence_differences(left, right, n)
                        if k == "S" else _table_differences(left, right, n, x[n], y[n], named))
        if not left.relations("r"):
            found[""] = [f"{a.name} has no tables at all: nothing was compared"]
    return found


def sequences_behind(a, b, dbname):
    """Sequences of `b` that might hand out what `a` has handed out already, as readable lines.

    A sequence may count down; what was never asked for collides with nothing.
    """
    query = ("SELECT format('%%I.%%I', n.nspname, c.relname), s.seqincrement FROM "
             "pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid "
             "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
             "WHERE n.nspname !~ '^(pg_|bucardo)' ORDER BY 1")
    lines = []
    with _Side(a, dbname) as left, _Side(b, dbname) as right:
        for name, step in left.rows(query, ()):
            values = []
            for side in (left, right):
                last, called = side.rows(f"SELECT last_value, is_called FROM {name}")[0]
                values.append(last if called else last - step)
            if (values[1] - values[0]) * step < 0:
                lines.append(f"sequence {name}: {a.name} {values[0]} | {b.name} {values[1]}")
    return lines


def row_count(server, dbname):
    """All rows of all compared tables: to show that something was compared."""
    with _Side(server, dbname) as side:
        return sum(side.rows(f"SELECT pg_catalog.count(*) FROM ONLY {table}")[0][0]
                   for table in side.relations("r"))


def wait_equal(a, b, dbname, seconds=60, sequences=True):
    """Wait until the contents are equal; traffic must have stopped before.

    sequences="ahead" is what a declared migration promises: `b` is never behind `a`. While it waits it
    reads again only what differed; what ends the wait is a comparison of everything.
    """
    found, last = {}, []

    def compared(only=None):
        return _compared(a, b, dbname, sequences=sequences is True, only=only, named=False)

    def equal():
        nonlocal found
        found = (found and compared(found)) or compared()
        last[:] = [line for lines in found.values() for line in lines]
        if not found and sequences == "ahead":
            last.extend(sequences_behind(a, b, dbname))
        return not last

    try:
        wait_for(equal, seconds, f"{a.name} and {b.name} are equal", every=0.2)
    except TooLate as error:
        now = differences(a, b, dbname, sequences=sequences is True)
        raise AssertionError("\n".join([str(error), *last, "and now:", *now])) from None
