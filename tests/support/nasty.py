"""Writes to the tables of nasty.sql that have a key: changed keys and values, deletes, new rows.

Its tables that Bucardo cannot replicate (LEFT_OUT) are written to by nobody: they are compared as of
the copy.
"""

import re

# Without a key by which Bucardo finds a row again, or with a name that it cannot handle.
LEFT_OUT = {'"Odd ""Schema"."Käse & ""Co"""', 'public."a $1 (b"', "public.array_key", "public.child",
            "public.listed_x", "public.no_columns", "public.no_key", "public.null_unique",
            "public.only_generated"}

# {n} is a small number that comes again, {s} one that never does.
_STATEMENTS = r"""
UPDATE composite_key SET v = {s} WHERE a = {n} % 100 AND b = 'b3'
UPDATE composite_key SET b = 'moved {s}' WHERE a = {n} % 100 AND b = 'b4'
DELETE FROM composite_key WHERE a = {n} % 100 AND b = 'b5'
INSERT INTO uuid_key VALUES (md5('{s}')::uuid, 'new')
UPDATE uuid_key SET id = md5('moved {s}')::uuid WHERE id = md5('{n}')::uuid
UPDATE time_key SET v = {s} WHERE at < timestamptz '2020-01-01 UTC' + {n} * interval '0.1 s'
INSERT INTO time_key VALUES (clock_timestamp() + {s} * interval '1 s', 'NaN')
UPDATE enum_key SET p = p + 100000 WHERE p = {n} AND m = 'très happy'
DELETE FROM enum_key WHERE p = {n} AND m = 'o''k'
INSERT INTO identities (n) VALUES ({n})
UPDATE identities SET n = {s} % 1000000 WHERE id % 300 = {n}
UPDATE typed SET iv = iv + interval '1 s', big = decode(md5('{s}'), 'hex'), j = '{{"b" :  {s}}}' WHERE id = {n}
UPDATE typed SET s = span(2, {n} + 3), p = ROW({n}, 'sad'), arr = NULL, nan = '-0' WHERE id = {n}
INSERT INTO typed (x, ps, nan, num) VALUES ('<b>{s}</b>', ARRAY[ROW({n}, 'o''k')::pair], '-Infinity', {s} / 100.0)
UPDATE measure SET v = {s} % 1000000 WHERE city % 300 = {n}
UPDATE measure SET at = date '2020-02-01' + {n} WHERE city = {n} + 300
INSERT INTO measure VALUES (date '2019-01-01' + {n}, {s} % 2000000000, 1) ON CONFLICT DO NOTHING
UPDATE spread SET k = (k + 1) % 4, v = '{s}' WHERE at = timestamptz '2023-12-01 UTC' + {n} * interval '7 h'
DELETE FROM spread WHERE at = timestamptz '2023-12-01 UTC' + {n} * interval '2 h'
UPDATE parent SET v = '{s}' WHERE id IN (11, 12)
UPDATE ONLY parent SET v = '{s}' WHERE id = 1
INSERT INTO keyed_child VALUES (100 + {s} % 1000000000, '{s}')
INSERT INTO unlogged VALUES ({s} % 2000000000)
INSERT INTO empty VALUES ({s} % 2000000000, '{s}')
UPDATE hen SET egg = 1 + {n} % 100 WHERE id = 1 + {n} % 100
UPDATE egg SET hen = 1 + ({n} * 7) % 100 WHERE id = 1 + {n} % 100
UPDATE lazy SET pos = -101 - pos WHERE pos < 0
INSERT INTO "order" VALUES ({s} % 2000000000, 'g', '{s}')
UPDATE "order" SET "group" = 'moved {s}' WHERE "user" = {n}
UPDATE "order" SET "group" = "group" || '\\''' WHERE "user" = {n} + 1
DELETE FROM "order" WHERE "user" = {n} + 2
UPDATE "it's 100%, 'a'.b @c; --" SET "it's %s \" = E'\\{s}\t''', "$1" = '$1' WHERE "a key; --" = {n}
UPDATE l234567890123456789012345678901234567890123456789012345678 SET v = '{s}'
UPDATE "Größe 名前" SET "Schlüssel ß" = E'\\N \\. \t\n{s}', "値" = '{s}' WHERE "Schlüssel ß" LIKE 'é{n} %'
UPDATE "Größe 名前" SET "値" = '{s}' WHERE "Schlüssel ß" LIKE 'é{n}1%'
UPDATE range_key SET v = {n} WHERE r @> {n}
DELETE FROM range_key WHERE lower(r) = {n}
UPDATE bytes_key SET v = v + 1 WHERE k >= decode(md5('{n}'), 'hex') AND v < 3
DELETE FROM bytes_key WHERE k = decode(md5('{n}') || '005c', 'hex')
UPDATE char_key SET v = {n} WHERE c = 'c {n}'
UPDATE char_key SET n = n + 1000, b = NOT b WHERE c = 'c {n}' AND n < 1000
UPDATE only_key SET id = {s} % 2000000000 WHERE id = {n}
UPDATE only_unique SET id = -id WHERE id = {n}
UPDATE only_unique SET v = '{s}', pos = NULL WHERE id = {n} + 1
UPDATE toasted SET small = small + 1 WHERE id = 1 + {n} % 20
UPDATE toasted SET big = repeat('{s}', 2000) WHERE id = 1 + {n} % 20
UPDATE secured SET v = '{s}' WHERE id = {n}
UPDATE audited SET id = id WHERE id = {n}
DELETE FROM time_key WHERE v = {n}; INSERT INTO time_key VALUES (now(), {n}) ON CONFLICT (at) DO UPDATE SET v = {n}
""".strip().splitlines()


def _step(statement):
    kind = re.match(r"\w+", statement).group().lower()

    def run(cursor, rng, serial):
        cursor.execute(statement.format(n=rng.randint(1, 290), s=serial))
        return kind
    return run


STEPS = tuple(_step(statement) for statement in _STATEMENTS)
