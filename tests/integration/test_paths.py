"""Any path is good for the runtime folder and the volume: nobody has to know what Bucardo does to paths."""

import os

import pytest
from support import declared
from support.users import give
from support.waiting import wait_for

ALL = "Machines, it's \"100 %s\" of \\a $HOME ü;=#{}*?~"
EACH = ["Upper", "with blank", "quo'te", 'two"quotes', "per%cent%s", "back\\slash", "$HOME", "ümläut-日本", "a,b", "a;b=c",
        "line\nfeed", "#x", "x" * 100, " leading", "trailing "]


def replicate_in(workshop, word, number=0):
    """A machine whose folders have this name, with a migration that replicates."""
    source, dest = workshop.server("source"), workshop.server("dest")
    name = f"paths{number}"
    source.create_database(name)
    dest.create_database(name)
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", dbname=name)
    machine = workshop.machine()
    machine.volume = os.path.join(machine.folder, word, "volume")
    machine.runtime = os.path.join(machine.folder, word, "run")
    machine.home = os.path.join(machine.volume, "home")
    for path in (os.path.dirname(machine.volume), machine.volume, machine.runtime):
        os.makedirs(path, exist_ok=True)
        give(path)
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, name))
    machine.start()
    declared.wait_live(machine)
    source.sql("INSERT INTO t SELECT generate_series(1, 10)", dbname=name)
    wait_for(lambda: dest.value("SELECT count(*) FROM t", dbname=name) == 10, 30, "rows arrive")
    return machine


def has_no_restart(machine):
    assert machine.unit("bucardo")["restarts"] == 0
    assert machine.unit("postgres")["restarts"] == 0


def test_a_path_of_100_characters_with_all_that_others_mangle_works(workshop):
    machine = replicate_in(workshop, ALL + "/" + "x" * 100)
    has_no_restart(machine)
    assert "app_sync" in machine.shell("bucardo list syncs").check()
    assert "Active" in machine.shell("bucardo status app_sync").check()
    machine.kill9_everything()
    machine.start()
    machine.wait_ready()
    has_no_restart(machine)
    code, _ = machine.stop()
    assert code == 0
    assert not machine.leftovers()


@pytest.mark.full
@pytest.mark.parametrize("number", range(len(EACH)))
def test_each_sign_in_a_path_works(workshop, number):
    machine = replicate_in(workshop, EACH[number], number)
    has_no_restart(machine)
    machine.shell("bucardo list syncs").check()
