"""Kinds of keys: tables with a key of each, and changes of their rows and of the spelling of their keys."""

TYPES = """
    CREATE SCHEMA addons; CREATE EXTENSION citext SCHEMA addons; CREATE EXTENSION ltree SCHEMA addons;
    CREATE EXTENSION hstore SCHEMA addons; CREATE SCHEMA "My ""Types";
    CREATE TYPE "My ""Types"."mo?od" AS ENUM ('sad', 'o''k');
    CREATE DOMAIN "My ""Types".mail AS addons.citext;
    CREATE DOMAIN addons.posted AS "My ""Types".mail;
    CREATE DOMAIN addons.feeling AS "My ""Types"."mo?od";
    CREATE TYPE addons.pair AS (a int, b addons.citext);
    CREATE COLLATION addons.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
"""

# name: columns of the key, the key of row i, the same key in other bytes
KEYS = {
    "citext": ("k addons.citext", "'User ' || i", "'USER ' || i"),
    "domain": ("k addons.posted", "'User ' || i", "'USER ' || i"),
    "nocase": ("k text COLLATE addons.nocase", "'Straße ' || i", "'STRASSE ' || i"),
    "ltree": ("k addons.ltree", "('top.n' || i)::addons.ltree", None),
    "hstore": ("k addons.hstore", "addons.hstore(ARRAY['a', i::text, 'b', E'\\\\ \"'])", None),
    "numeric": ("k numeric", "i / 4.0", "i / 4.0 + 0.00000"),
    "float": ("k float8", "(i - 3)::float8", "CASE i WHEN 3 THEN '-0'::float8 ELSE (i - 3)::float8 END"),
    "char": ("k char(9)", "'c ' || i", None),
    "bits": ("k bit(12)", "i::bit(12)", None),
    "feeling": ("k addons.feeling, n int", "'o''k'::addons.feeling, i", None),
    "pair": ("k addons.pair", "ROW(i, 'a, \"b\" ' || i)::addons.pair",
             "ROW(i, 'A, \"B\" ' || i)::addons.pair"),
    "pairs": ("k addons.pair, n int", "ROW(i, 'x')::addons.pair, i", "ROW(i, 'X')::addons.pair, i"),
    "interval": ("k interval", "i * interval '1 day'", "i * interval '24 hours'"),
    "jsonb": ("k jsonb", "jsonb_build_object('a', i)", "jsonb_build_object('a', i + 0.00)"),
    "bytea": ("k bytea, n addons.citext", "decode(md5(i::text) || '005c27', 'hex'), 'n' || i",
              "decode(md5(i::text) || '005c27', 'hex'), 'N' || i"),
    "wide": ("k bytea", "decode(repeat(md5(i::text), 9), 'hex')", None),
    "mixed": ("k addons.citext, n numeric, \"a ?;:b\" text", "'A' || i, i, '\\ \t''' || i",
              "'a' || i, i + 0.0, '\\ \t''' || i"),
    "range": ("k int4range", "int4range(i, i + 2)", None),
    "name": ("k name, n \"char\"", "('n' || i)::name, chr(i % 60 + 60)::\"char\"", None),
    "boolean": ("k boolean, n int", "i % 2 = 0, i", None),
}


def column_names(columns):
    return "k, n, \"a ?;:b\"" if "?" in columns else "k, n" if ", n " in columns else "k"


def schema():
    made = [TYPES]
    for name, (columns, key, _) in KEYS.items():
        names = column_names(columns)
        made.append(f"CREATE TABLE key_{name} ({columns}, num int, v text, PRIMARY KEY ({names}));"
                    f"INSERT INTO key_{name} ({names}, num, v) SELECT {key}, i, 'v' FROM generate_series(1, 40) i;")
    made.append("CREATE TABLE many (k addons.citext PRIMARY KEY, v text); INSERT INTO many SELECT "
                "'Row ' || i, 'v' FROM generate_series(1, 30000) i;"
                "CREATE TABLE pairs (a int, b addons.citext, v text, PRIMARY KEY (a, b)); INSERT INTO pairs "
                "SELECT i % 500, 'Row ' || i, 'v' FROM generate_series(1, 30000) i;")
    return "".join(made)


def changes():
    """One transaction: of each table rows deleted, updated, inserted, and keys that get others or other bytes."""
    statements = ["SET search_path = public, addons, \"My \"\"Types\""]
    for name, (columns, key, other) in KEYS.items():
        names = column_names(columns)
        table = f"public.key_{name}"
        statements += [f"DELETE FROM {table} WHERE num = 7", f"UPDATE {table} SET v = 'new' WHERE num = 8",
                       f"INSERT INTO {table} ({names}, num, v) SELECT {key}, i, 'new' "
                       "FROM generate_series(41, 45) i",
                       f"UPDATE {table} t SET ({names}) = (SELECT {key} FROM (SELECT 1000 AS i) n) WHERE num = 9"]
        if other:
            statements += [f"UPDATE {table} t SET ({names}) = (SELECT {other} FROM (SELECT t.num AS i) n)"
                           + extra for extra in (" WHERE num BETWEEN 1 AND 5",
                                                 ", v = 'both' WHERE num BETWEEN 20 AND 22")]
            statements += [f"DELETE FROM {table} WHERE num = 30",
                           f"INSERT INTO {table} ({names}, num, v) SELECT {other}, i, 'again' "
                           "FROM generate_series(30, 30) i"]
    return ";".join(statements)
