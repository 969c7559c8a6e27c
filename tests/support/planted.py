"""A database of many kinds of tables, and the differences that are planted in its copy.

ZOO is loaded into the source and cloned; PLANTS is run on the destination; expected() says what a comparison
has to name, and nothing else.
"""

# From a value to one that its type's own `=`, a shortened text or a short hash could take for the same.
VALUES = [
    ("bytea", r"'\x00ff10'", r"'\x00ff11'"), ("float8", "'0'", "'-0'"), ("float4", "'0'", "'-0'"),
    ("float8", "'0.1'", "'0.10000000000000002'"), ("numeric", "'1.0'", "'1.00'"), ("numeric", "'NaN'", "NULL"),
    ("text", "NULL", "''"), ("varchar(9)", "''", "NULL"), ("bpchar", "'a'", "'a '"), ('"char"', "''", "' '"),
    ("text COLLATE public.loose", "'e'", "'E'"), ("text COLLATE public.loose", "'e'", "'é'"),
    ("timestamptz", "'2026-01-01 00:00:00.000001Z'", "'2026-01-01 00:00:00.000002Z'"),
    ("timestamptz", "'infinity'", "'-infinity'"), ("date", "'infinity'", "'2026-01-01'"),
    ("jsonb", "'[1.0]'", "'[1.00]'"), ("json", """'{"a":1}'""", """'{"a": 1}'"""),
    ("text", "repeat('x', 1100000) || 'a'", "repeat('x', 1100000) || 'b'"),
    ("bytea", "convert_to(repeat('x', 1100000) || 'a', 'UTF8')", "convert_to(repeat('x', 1100000) || 'b', 'UTF8')"),
    ("bigint", "1", "4294967296"), ("bigint", "-1", "4294967295"), ("bigint", "9007199254740992", "9007199254740993"),
    ("timestamp", "'2026-01-01 00:00:00'",
     "(SELECT '2000-01-01'::timestamp + make_interval(secs => (v # 4294967297) / 1000000 ) + "
     " ((v # 4294967297) % 1000000) * interval '1 us' FROM (SELECT "
     " (extract(epoch FROM timestamp '2026-01-01' - timestamp '2000-01-01') * 1000000)::bigint) x(v))"),
    ("public.mood", "'sad'", "'o''k'"), ("public.mood[]", "'{sad}'", """'{"o''k"}'"""),
    ("public.positive", "1", "2"), ("public.padded", "'a'", "'a '"), ("int[]", "'{1,2}'", "'[0:1]={1,2}'"),
    ("text[]", "ARRAY[NULL]", "ARRAY['NULL']"), ("text[]", "ARRAY['a,b']", "ARRAY['a','b']"),
    ("public.pair", "ROW(1, 'sad')", "ROW(1, 'o''k')"), ("public.pair", "ROW(NULL, NULL)", "NULL"),
    ("public.pair[]", "ARRAY[ROW(1, 'sad')::public.pair]", "ARRAY[ROW(2, 'sad')::public.pair]"),
    ("interval", "'1 mon'", "'30 days'"), ("timetz", "'12:00+00'", "'13:00+01'"), ("inet", "'10.0.0.1/8'", "'10.0.0.1'"),
    ("bit(3)", "B'101'", "B'100'"), ("varbit", "B'10'", "B'100'"), ("public.citext", "'a'", "'A'"),
    ("xml", "'<a/>'", "'<a></a>'"), ("money", "1.5", "1.51"), ("point", "'(0,0)'", "'(-0,0)'"),
    ("float8", "'NaN'", "'Infinity'"), ("float4", "'NaN'", "NULL"), ("numeric", "'NaN'", "0"), ("float4", "0.1", "0.10000001"),
    ("timestamp", "'infinity'", "NULL"), ("timestamptz", "'-infinity'", "NULL"), ("date", "'-infinity'", "'infinity'"),
    ("jsonb", """'{"a":1,"b":null}'""", """'{"a":1}'"""), ("json", """'{"a":1,"b":2}'""", """'{"b":2,"a":1}'"""),
    ("json", """'{"a":1}'""", """'{"a":1,"a":1}'"""), ("jsonb", "'null'", "NULL"), ("char(3)", "'a'", "NULL"),
    ("int[]", "'{{1,2},{3,4}}'", "'{1,2,3,4}'"), ("int[]", "'{}'", "NULL"), ("int[]", "'[2:2]={1}'", "'{1}'"),
    ("bytea", r"'\x'", "NULL"), ("bytea", r"'\x5c'", r"'\x5c5c'"), ("text", r"E'\x01N'", "NULL"), ("text", "'NULL'", "NULL"),
    ("time", "'24:00'", "'00:00'"), ("interval", "'24:00'", "'1 day'"), ("name", "''", "NULL"),
    ("public.hstore", "'a=>NULL'", """'a=>"NULL"'"""), ("text", "'é'", r"U&'e\0301'"), ("numeric", "0", "0.0"),
    ("public.span", "'[1,3)'", "'[1,4)'"), ("tsvector", "'a'", "'a:1'"), ("oid", "1", "2"), ("bool", "true", "NULL"),
]

# name: type of the key, its value of a number i, one below and one above all of them.
KEYS = {
    "k_int": ("int", "i", "-7", "999999"),
    "k_bigint": ("bigint", "9007199254740992 + i", "-9007199254740993", "9223372036854775807"),
    "k_sparse": ("bigint", "i::bigint * i * 1000003", "-9223372036854775808", "9223372036854775807"),
    "k_numeric": ("numeric", "9007199254740993 + i / 8.0", "-7.50", "'NaN'"),
    "k_uuid": ("uuid", "md5(i::text)::uuid", f"'{'0' * 32}'", f"'{'f' * 32}'"),
    "k_timestamptz": ("timestamptz", "timestamptz '2020-01-01Z' + i * interval '1.000001 s'", "'-infinity'", "'infinity'"),
    "k_date": ("date", "date '2020-01-01' + i", "'-infinity'", "'infinity'"),
    "k_text": ("text", "'k ' || i", "''", "'€zz'"),
    "k_loose": ("text COLLATE public.loose", "'ké ' || i", "'a'", "'zz'"),
    "k_citext": ("public.citext", "'k ' || i", "''", "'zz'"),
    "k_char": ("char(12)", "'k ' || i", "''", "'zz'"),
    "k_bit": ("bit(20)", "i::bit(20)", "B'00000000000000000000'", "B'11111111111111111111'"),
    "k_bytea": ("bytea", "decode(md5(i::text), 'hex')", r"'\x'", r"'\xffff'"),
    "k_float": ("float8", "i + 0.5", "'-Infinity'", "'Infinity'"),
    "k_pair": ("public.pair", "ROW(i, 'sad')::public.pair", "ROW(-1, 'sad')", "ROW(99999, 'o''k')"),
    "k_positive": ("public.positive", "i", "99998", "99999"),
    "k_array": ("int[]", "ARRAY[i, NULL]", "'{}'", "'{99999}'"),
    "k_interval": ("interval", "i * interval '1 hour'", "'-1 day'", "'99999 days'"),
}
KEY_ROWS = 9000
BOUND = 8192  # the row that begins the second range, where ranges have that many rows

# A key that becomes another one which its type calls equal: the row is missing, and there is an extra one.
TWINS = {"k_numeric": ("-1.5", "-1.50"), "k_loose": ("Twin", "twin"), "k_float": ("0", "-0"),
         "k_interval": ("900 mons", "27000 days"), "k_citext": ("Twin", "twin")}

QUOTED = '"Odd ""Schema".' + '"It\'s 100%s ""Käse"" %n"'

ZOO = r"""
CREATE SCHEMA "Odd ""Schema";
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'o''k');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN blanks AS bpchar;
CREATE DOMAIN padded AS blanks;
CREATE TYPE span AS RANGE (subtype = int);
CREATE TYPE pair AS (a int, b mood);
CREATE FUNCTION never(pair) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'the cast of a stranger ran'; END$$;
CREATE CAST (pair AS text) WITH FUNCTION never(pair) AS IMPLICIT;

CREATE TABLE swap_rows (id int PRIMARY KEY, v text);
INSERT INTO swap_rows SELECT i, 'v' || i FROM generate_series(1, 100) i;
CREATE TABLE swap_columns (id int PRIMARY KEY, a int, b int, c text);
INSERT INTO swap_columns SELECT i, i, i + 1, i FROM generate_series(1, 100) i;
CREATE TABLE swap_seen (a int, b int, PRIMARY KEY (a, b), v int);
INSERT INTO swap_seen SELECT i, i + 200, i FROM generate_series(1, 100) i;
CREATE TABLE no_key (a int, b text);
INSERT INTO no_key SELECT i % 3, NULL FROM generate_series(1, 300) i;
CREATE TABLE no_key_same (LIKE no_key);
INSERT INTO no_key_same SELECT * FROM no_key;
CREATE TABLE gone (id int PRIMARY KEY);
CREATE TABLE narrow (id int PRIMARY KEY, "a column" int);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE no_columns_less ();
INSERT INTO no_columns_less DEFAULT VALUES;
CREATE TABLE unlogged_one (id int PRIMARY KEY, v int);
INSERT INTO unlogged_one SELECT i, i FROM generate_series(1, 50) i;
ALTER TABLE unlogged_one SET UNLOGGED;
CREATE TABLE generated_one (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int,
    twice int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO generated_one (n) SELECT i FROM generate_series(1, 50) i;
CREATE TABLE parted (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT i, i FROM generate_series(1, 200) i;
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent VALUES (1, 'p');
INSERT INTO child VALUES (1, 'c'), (2, 'c');
CREATE SEQUENCE behind;
SELECT setval('behind', 9007199254740993);
CREATE SEQUENCE ahead;
SELECT setval('ahead', 10);
CREATE TABLE twofold (id int PRIMARY KEY, v text);
INSERT INTO twofold SELECT i, 'v' FROM generate_series(1, 100) i;
CREATE TABLE nulls (id int PRIMARY KEY, v text);
INSERT INTO nulls SELECT i, 'v' FROM generate_series(1, 100) i;
CREATE TABLE skewed (tenant int, id int, v int, PRIMARY KEY (tenant, id));
INSERT INTO skewed SELECT i / 30000, i, 0 FROM generate_series(1, 60000) i;
CREATE MATERIALIZED VIEW unpopulated AS SELECT 1 AS a WITH NO DATA;
CREATE MATERIALIZED VIEW populated AS SELECT id FROM parted_low;
"""

PLANTS = r"""
SET session_replication_role = replica;
UPDATE swap_rows SET v = 'v' || (21 - id) WHERE id IN (10, 11);
UPDATE swap_columns SET a = b, b = a WHERE id = 5;
UPDATE swap_seen SET a = b, b = a WHERE a = 5;
UPDATE no_key SET a = 0 WHERE ctid = (SELECT ctid FROM no_key WHERE a = 2 LIMIT 1);
DROP TABLE gone;
ALTER TABLE narrow DROP COLUMN "a column";
DELETE FROM no_columns_less;
DELETE FROM unlogged_one WHERE id = 50;
UPDATE generated_one SET n = 0 WHERE id = 9;
UPDATE parted SET v = -1 WHERE id IN (99, 100);
UPDATE ONLY parent SET v = 'P';
DELETE FROM child WHERE id = 2;
SELECT setval('behind', 9007199254740992);
SELECT setval('ahead', 11);
ALTER TABLE twofold DROP CONSTRAINT twofold_pkey;
INSERT INTO twofold VALUES (10, 'v'), (20, 'w');
ALTER TABLE nulls DROP CONSTRAINT nulls_pkey;
ALTER TABLE nulls ALTER id DROP NOT NULL;
INSERT INTO nulls VALUES (NULL, 'v');
UPDATE skewed SET v = 1 WHERE id IN (29999, 30000, 59999);
"""

# (kind, key, columns) of each difference; None: the table differs as a whole.
EXPECTED = {
    "public.swap_rows": {("changed", ("10",), ("v",)), ("changed", ("11",), ("v",))},
    "public.swap_columns": {("changed", ("5",), ("a", "b"))},
    "public.swap_seen": {("missing", ("5", "205"), ()), ("extra", ("205", "5"), ())},
    "public.no_key": None, "public.gone": None, "public.narrow": None, "public.no_columns_less": None,
    "public.behind": None, "public.nulls": None,
    "public.unlogged_one": {("missing", ("50",), ())},
    "public.generated_one": {("changed", ("9",), ("n", "twice"))},
    "public.parted_low": {("changed", ("99",), ("v",))}, "public.parted_rest": {("changed", ("100",), ("v",))},
    "public.parent": {("changed", ("1",), ("v",))}, "public.child": {("missing", ("2",), ())},
    "public.twofold": {("extra", ("10",), ()), ("extra", ("20",), ())},
    "public.skewed": {("changed", ("0", "29999"), ("v",)), ("changed", ("1", "30000"), ("v",)),
                      ("changed", ("1", "59999"), ("v",))},
}


def _values():
    columns = ", ".join(f"c{n} {kind}" for n, (kind, _, _) in enumerate(VALUES))
    yield f"CREATE TABLE planted_values (id int PRIMARY KEY, {columns});\n", ""
    yield "INSERT INTO planted_values (id) SELECT generate_series(-50, -1);\n", ""
    for n, (_, here, there) in enumerate(VALUES):
        yield (f"INSERT INTO planted_values (id, c{n}) VALUES ({n}, {here});\n",
               f"UPDATE planted_values SET c{n} = {there} WHERE id = {n};\n")


def _keys():
    for name, (kind, key, below, above) in KEYS.items():
        yield (f"CREATE TABLE {name} (k {kind} PRIMARY KEY, i int UNIQUE, v text);\n"
               f"INSERT INTO {name} SELECT {key}, i, 'v' || i FROM generate_series(1, {KEY_ROWS}) i;\n",
               f"DELETE FROM {name} WHERE i = {BOUND}; UPDATE {name} SET v = NULL WHERE i IN ({BOUND - 1}, {BOUND + 1});\n"
               f"INSERT INTO {name} VALUES ({below}, -1), ({above}, -2);\n")
    for name, (here, there) in TWINS.items():
        yield (f"INSERT INTO {name} VALUES ('{here}', 0);\n", f"UPDATE {name} SET k = '{there}' WHERE i = 0;\n")


def _odd():
    many = ", ".join(f'"c {n} %s" int' for n in range(200))
    yield (f'CREATE TABLE {QUOTED} ("the ""key"" %d" text PRIMARY KEY, "$1" text, "ä \'b\'" text);\n'
           f"INSERT INTO {QUOTED} SELECT 'it''s \\ \"' || i || '%s', 'x', '値' FROM generate_series(1, 50) i;\n",
           f"UPDATE {QUOTED} SET \"ä 'b'\" = '' WHERE \"the \"\"key\"\" %d\" LIKE '%\"7\\%s';\n")
    yield f"CREATE TABLE wide (id int PRIMARY KEY, {many});\nINSERT INTO wide SELECT generate_series(1, 50);\n", \
        'UPDATE wide SET "c 199 %s" = 0 WHERE id = 3;\n'


def _all():
    return [*_values(), *_keys(), *_odd()]


def load(source, dbname):
    source.psql(dbname, text=ZOO + "".join(here for here, _ in _all()))
    source.sql("ANALYZE", dbname=dbname)


def plant(dest, dbname):
    dest.psql(dbname, text=PLANTS + "".join(there for _, there in _all()))


def expected(source, dest, dbname):
    """The differences of each table, keys as the servers write them."""
    def key(server, name, i):
        return (server.value(f"SET TimeZone = 'UTC'; SELECT format('%s', k) FROM {name} WHERE i = {i}", dbname=dbname),)
    found = dict(EXPECTED)
    found["public.planted_values"] = {("changed", (str(n),), (f"c{n}",)) for n in range(len(VALUES))}
    for name in KEYS:
        found[f"public.{name}"] = {("missing", key(source, name, BOUND), ()),
                                   ("changed", key(source, name, BOUND - 1), ("v",)),
                                   ("changed", key(source, name, BOUND + 1), ("v",)),
                                   ("extra", key(dest, name, -1), ()), ("extra", key(dest, name, -2), ())}
    for name in TWINS:
        found[f"public.{name}"] |= {("missing", key(source, name, 0), ()), ("extra", key(dest, name, 0), ())}
    found[QUOTED] = {("changed", ("it's \\ \"7%s",), ("\"ä 'b'\"",))}
    found["public.wide"] = {("changed", ("3",), ('"c 199 %s"',))}
    return found
