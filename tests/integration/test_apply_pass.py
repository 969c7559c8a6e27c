"""Our own applier does what a KID does (worker/apply), on a live migration whose sync is paused."""

import pytest
from support import compare, key_kinds
from support.applier import Applier
from support.declared import replicating
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)


class World:
    def __init__(self, workshop):
        self.source, self.dest, self.dbname = workshop.pair("shop")
        self.source.sql(key_kinds.schema(), dbname=self.dbname)
        self.machine = replicating(workshop, self.source, self.dest, self.dbname)
        self.applier = Applier(self.machine, self.source, self.dest, self.dbname)

    def on(self, side, sql):
        return getattr(self, side).sql(sql, dbname=self.dbname)

    def waiting(self, side="source"):
        return getattr(self, side).value("SELECT count(*) FROM bucardo.machine_waiting('app')", dbname=self.dbname)

    def differences(self):
        return compare.differences(self.source, self.dest, self.dbname, sequences=False)


@pytest.fixture(scope="module")
def world(shared_workshop):
    world = World(shared_workshop)
    world.machine.cli("pause", "app").check()
    return world


def test_kinds_of_keys_and_of_changes_are_carried(world):
    world.on("source", key_kinds.changes())
    assert world.waiting() > 0 and world.differences()
    evidence = world.applier.run(compare=True)
    assert world.differences() == [] and world.waiting() == 0
    assert evidence["difference"] is None
    print(evidence)
