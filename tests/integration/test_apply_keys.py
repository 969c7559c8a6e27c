"""A run finds rows by what the type of their key means by "equal", in whatever schema that is.

All cases change at once and arrive in one run; add one with a row of support/key_kinds.py.
"""

import pytest
from support import compare, key_kinds
from support.declared import replicating
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)

@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest, dbname = shared_workshop.pair("shop")
    source.sql(key_kinds.schema(), dbname=dbname)
    return replicating(shared_workshop, source, dest, dbname), source, dest, dbname


@pytest.fixture(scope="module")
def changed(world):
    machine, source, dest, dbname = world
    source.sql(key_kinds.changes(), dbname=dbname)
    wait_for(lambda: source.value("SELECT count(*) FROM bucardo.bucardo_delta_check('app_sync', "
                                  "'dbgroup app_dbs') c(n) WHERE n LIKE '1,%%'", dbname=dbname) == 0, 30,
             "all of it is applied", explain=machine.log_tail)
    return [line.split(":")[0] for line in compare.differences(source, dest, dbname, sequences=False)]


@pytest.mark.parametrize("name", key_kinds.KEYS)
def test_changes_of_rows_and_of_the_spelling_of_their_keys_arrive(changed, name):
    assert f"public.key_{name}" not in changed


def test_many_keys_arrive_and_the_index_finds_them(world, changed):
    """More than one statement names; no table is read from end to end for them."""
    machine, source, dest, dbname = world
    assert not changed
    scans = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('many', 'pairs')"
    for server in (source, dest):
        server.sql("ANALYZE", dbname=dbname)
    source.sql("SET search_path = public, addons; UPDATE many SET k = upper(k::text), v = 'w' WHERE k::text "
               "LIKE '%%7%%'; UPDATE pairs SET b = upper(b::text) WHERE b::text LIKE '%%7%%'", dbname=dbname)
    compare.wait_equal(source, dest, dbname, 60, sequences="ahead")
    # One row: what a run does all day.
    source.sql("SELECT pg_stat_reset()", dbname=dbname)
    dest.sql("SELECT pg_stat_reset()", dbname=dbname)
    source.sql("SET search_path = public, addons; UPDATE many SET v = 'x' WHERE k = 'row 5'; UPDATE pairs SET "
               "v = 'x' WHERE (a, b) = (5, 'row 5')", dbname=dbname)
    wait_for(lambda: dest.sql("SELECT many.v, pairs.v FROM many, pairs WHERE many.k::text = 'Row 5' AND "
                              "pairs.a = 5 AND pairs.b::text = 'Row 5'", dbname=dbname) == [("x", "x")], 20,
             "they arrive")
    assert source.value(scans, dbname=dbname) == 0
