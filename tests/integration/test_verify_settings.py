"""`bucardo-machine verify` among odd settings, rights and encodings: they change nothing, or are told."""

import pytest

from support.clone import Clone, clone_of
from support.verify import verify

SCHEMA = """
CREATE TABLE timed (at timestamptz PRIMARY KEY, f float8, b bytea, i interval, d date, m money,
    c regclass DEFAULT 'timed', w text[] DEFAULT ARRAY['NULL', NULL], x xml DEFAULT '<a/>b');
INSERT INTO timed SELECT timestamptz '2026-01-31 22:00:00Z' + i * interval '1 hour', 1 / (i + 2.0), decode(md5(i::text), 'hex'),
    i * interval '1 day 1 hour', date '2026-02-03' + i, i FROM generate_series(1, 500) i;
CREATE TABLE hidden (id int PRIMARY KEY, open int, secret text);
INSERT INTO hidden VALUES (1, 1, 'a');
CREATE TABLE secured (id int PRIMARY KEY, v text);
INSERT INTO secured SELECT i, 'v' FROM generate_series(1, 100) i;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON secured USING (id < 50);
CREATE SCHEMA evil;
CREATE FUNCTION evil.hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION evil.format(text, timestamptz) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION evil.xor(bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE OPERATOR evil.# (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.xor);
"""
SOURCE = {"TimeZone": "Asia/Kolkata", "DateStyle": "German", "extra_float_digits": "-10", "bytea_output": "escape",
          "IntervalStyle": "sql_standard", "search_path": "evil, public, pg_catalog", "statement_timeout": "1ms",
          "quote_all_identifiers": "on", "array_nulls": "off", "xmlbinary": "hex"}
TABLES = [word for name in ("timed", "hidden", "secured") for word in ("--table", f"public.{name}")]
DESTINATION = {"TimeZone": "America/St_Johns", "DateStyle": "SQL, DMY", "extra_float_digits": "0",
               "IntervalStyle": "iso_8601", "search_path": "evil, public", "default_transaction_read_only": "on",
               "row_security": "on", "idle_in_transaction_session_timeout": "1ms", "lc_monetary": "C.UTF-8",
               "xmloption": "document", "transform_null_equals": "on", "standard_conforming_strings": "off"}


@pytest.fixture(scope="module", name="pair")
def pair_of_servers(shared_workshop):
    return shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop


@pytest.fixture(scope="module", name="clone")
def odd_clone(pair):
    clone = clone_of(pair, "odd")
    pair[0].psql("odd", text=SCHEMA)
    clone.must()
    return clone


def forget_reader(pair):
    for server in pair[:2]:
        if server.value("SELECT count(*) FROM pg_roles WHERE rolname = 'reader'"):
            server.sql("DROP OWNED BY reader; DROP ROLE reader", dbname="odd")


def as_reader(clone, pair, grants):
    """The same, as a role of the destination that may do no more than `grants`; it has them on both sides."""
    forget_reader(pair)
    for server in pair[:2]:
        server.sql(f"CREATE ROLE reader LOGIN PASSWORD 'secret-of-{pair[1].name}';"
                   f"GRANT USAGE ON SCHEMA public TO reader; {grants}", dbname="odd")
    return Clone(clone.binary, pair[2].folder, pair[0], pair[1], "odd", dest_user="reader")


def test_a_role_that_may_not_read_a_column_proves_nothing_of_its_table(clone, pair):
    reader = as_reader(clone, pair, "GRANT SELECT ON timed TO reader; GRANT SELECT (id, open) ON hidden TO reader")
    result = verify(clone.binary, reader, "--table", "public.timed", "--table", "public.hidden")
    assert result.code == 4, result.output + result.errors
    assert result.states("unproven") == {"public.hidden"}
    assert "permission denied" in result.objects["public.hidden"]["why"]
    forget_reader(pair)


def test_rows_that_a_policy_hides_are_unproven_and_not_equal(clone, pair):
    pair[1].sql("SET session_replication_role = replica; DELETE FROM secured WHERE id = 99", dbname="odd")
    reader = as_reader(clone, pair, "GRANT SELECT ON secured TO reader")
    result = verify(clone.binary, reader, "--table", "public.secured")
    assert result.code == 4, result.output + result.errors
    assert "row-level security" in result.objects["public.secured"]["why"]
    forget_reader(pair)
    pair[1].sql("INSERT INTO secured VALUES (99, 'v')", dbname="odd")


def test_settings_of_roles_and_databases_change_nothing(clone, pair):
    pair[0].sql("; ".join(f"ALTER DATABASE odd SET {name} = {value if name == 'search_path' else repr(value)}"
                          for name, value in SOURCE.items()))
    pair[1].sql("; ".join(f"ALTER ROLE {pair[1].user} IN DATABASE odd SET {name} = "
                          f"{value if name == 'search_path' else repr(value)}" for name, value in DESTINATION.items()))
    try:
        result = verify(clone.binary, clone, *TABLES)
        assert result.code == 0, result.output + result.errors
        pair[1].sql("SET transaction_read_only = off;"
                    "UPDATE public.timed SET f = f + 1e-15 WHERE at = '2026-02-01 00:00:00Z'", dbname="odd")
        result = verify(clone.binary, clone, "--show-values", *TABLES)
        assert result.rows("public.timed") == {("changed", ("2026-02-01 00:00:00+00",), ("f",))}, result.output
    finally:
        pair[0].sql("ALTER DATABASE odd RESET ALL")
        pair[1].sql(f"ALTER ROLE {pair[1].user} IN DATABASE odd RESET ALL")


# ---- encodings ----

WORDS = ["a", "é", "Š", "ž", "Ö", "z"]  # bytes of WIN1252 are in another order than those of UTF-8


def database(server, name, encoding, script):
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    connection = server.connect(name)
    try:
        if encoding != "SQL_ASCII":
            connection.set_client_encoding("UTF8")
        with connection.cursor() as cursor:
            cursor.execute(script.encode("utf-8"))
    finally:
        connection.close()


def script_of(words):
    rows = ", ".join(f"('{word}', 'v{word}')" for word in words)
    return f"CREATE TABLE words (k text PRIMARY KEY, v text); INSERT INTO words VALUES {rows}"


@pytest.mark.parametrize("way", ["native", "sha256"])
@pytest.mark.parametrize("encodings", [("LATIN1", "UTF8"), ("WIN1252", "UTF8"), ("WIN1252", "WIN1252"),
                                       ("SQL_ASCII", "UTF8"), ("SQL_ASCII", "SQL_ASCII")])
def test_the_same_text_in_another_encoding_is_equal_and_another_one_is_not(pair, encodings, way):
    name = f"enc_{encodings[0]}_{encodings[1]}_{way}".lower()
    words = ["a", "é", "Ö", "z"] if encodings[0] == "LATIN1" else WORDS
    for server, encoding in zip(pair, encodings):
        database(server, name, encoding, script_of(words))
    clone = Clone(pair[2].binary, pair[2].folder, pair[0], pair[1], name)
    options = ["--hash", "sha256"] if way == "sha256" else []
    assert verify(clone.binary, clone, *options).code == 0
    plant = "UPDATE words SET v = 'e' WHERE k = 'é'; DELETE FROM words WHERE k = 'a'; UPDATE words SET v = 'è' WHERE k = 'Ö'"
    connection = pair[1].connect(name)
    if encodings[1] != "SQL_ASCII":
        connection.set_client_encoding("UTF8")
    connection.cursor().execute(plant.encode("utf-8"))
    connection.close()
    result = verify(clone.binary, clone, *options)
    assert result.code == 5, result.output + result.errors
    kinds = sorted(row["kind"] for row in result.objects["public.words"]["differences"])
    assert kinds == ["changed", "changed", "missing"], result.output
