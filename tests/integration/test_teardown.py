"""`teardown --source --destination`: no trace of a migration is left, without its machine."""

import json
import os
import random
import subprocess
import time

import pytest
from support import declared
from support.leaving import SHOP, catalog, dump
from support.waiting import wait_for

SESSIONS = ("SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop'"
            " AND application_name ~* 'bucardo' AND application_name !~ 'observe'")


def age(*sides):
    """The machine was heard of last some minutes ago."""
    for server, dbname in sides:
        server.sql("UPDATE bucardo.machine_beats SET seen = now() - interval '5 minutes'", dbname=dbname)


class World:
    def __init__(self, workshop):
        self.source, self.dest = workshop.server("source"), workshop.server("dest")
        self.source.create_database("shop").sql(SHOP, dbname="shop")
        self.dest.create_database("shop")
        self.before = dump(self.source, "shop"), catalog(self.source, "shop")
        self.machine = workshop.machine(installed=True)
        self.machine.write_pgpass(self.source, self.dest)
        self.pgpass = os.path.join(workshop.folder, "pgpass-of-teardown")
        with open(self.pgpass, "w", encoding="utf-8") as out:
            out.write(self.source.pgpass_line() + self.dest.pgpass_line())
        os.chmod(self.pgpass, 0o644)
        self.binary = workshop.binary

    def conninfo(self, server):
        return (f"host={server.address} port={server.port} dbname=shop user={server.user} "
                f"password={server.password}")

    def start(self, *words, sides=("source", "destination")):
        options = []
        for side in sides:
            server = self.source if side == "source" else self.dest
            options += [f"--{side}", self.conninfo(server).rsplit(" ", 1)[0]]
        return subprocess.Popen(
            [self.binary, "teardown", *words, *options], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PGPASSWORD": "", "PGPASSFILE": self.passfile()})

    def passfile(self):
        os.chmod(self.pgpass, 0o600)
        return self.pgpass

    def run(self, *words, **more):
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture(scope="module")
def world(shared_workshop):
    world = World(shared_workshop)
    world.machine.write_config(declared.yaml(world.source, world.dest, "shop", extra="    direction: both\n"))
    world.machine.start()
    declared.wait_live(world.machine)
    yield world


def test_a_machine_at_work_is_not_torn_down_behind_its_back(world):
    code, _, err = world.run("--yes")
    assert code == 1 and "a machine is at work there" in err and "app" in err, err
    assert world.source.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'bucardo_delta'",
                              dbname="shop") > 0


def test_nothing_is_removed_without_an_answer_or_when_others_are_there(world):
    world.machine.cli("service", "stop", "postgres").check()
    for side in (world.source, world.dest):
        wait_for(lambda side=side: not side.value(SESSIONS), 30, "nobody of the machine is there")
    for server in (world.source, world.dest):
        server.sql("UPDATE bucardo.machine_beats SET seen = now() - interval '57 seconds'", dbname="shop")
    code, out, err = world.run()
    assert code == 1 and "--yes" in err and "has not been cut over" in out, "it was to wait, and not to be refused"
    assert "waiting up to" in err and "to see that it is gone" in err, err
    age((world.source, "shop"), (world.dest, "shop"))
    there = catalog(world.source, "shop"), catalog(world.dest, "shop")
    code, out, err = world.run()
    assert code == 1 and "--yes" in err and "has not been cut over" in out, (out, err)
    world.source.sql("INSERT INTO bucardo.bucardo_delta_names (sync, tablename, deltaname, trackname)"
                     " VALUES ('theirs', 'public.\"Odd Name\"', 'x', 'y')", dbname="shop")
    code, out, err = world.run("--yes")
    assert code == 1 and "used by several" in err and "theirs" in err, (out, err)
    code, out, err = world.run("nosuch")
    assert code == 1 and "nothing is known there of 'nosuch'" in err and "app" in err, (out, err)
    world.source.sql("DELETE FROM bucardo.bucardo_delta_names WHERE sync = 'theirs'", dbname="shop")
    assert (catalog(world.source, "shop"), catalog(world.dest, "shop")) == there


def test_killed_at_any_instant_the_same_command_finishes_and_nothing_is_left(world, rng=random.Random(9)):
    blocker = world.source.connect("shop")
    blocker.cursor().execute('BEGIN; LOCK TABLE "Odd Name" IN ROW EXCLUSIVE MODE')
    for _ in range(6):
        process = world.start("--yes")
        time.sleep(rng.uniform(0.02, 0.25))
        process.kill()
        process.communicate()
        world.source.sql("INSERT INTO keyless VALUES ('goes on')", dbname="shop")
        world.source.sql("INSERT INTO parts VALUES (2, '2022-01-01'); DELETE FROM parts WHERE id = 2",
                         dbname="shop")
    blocker.close()
    code, out, err = world.run("--yes")
    assert code == 0, (out, err)
    for side in ("source", "destination"):
        assert f"nothing of ours is left on the {side}" in out
    assert (dump(world.source, "shop"), catalog(world.source, "shop")) == world.before
    assert dump(world.dest, "shop") == world.before[0]
    code, out, err = world.run("--json", "--yes", sides=("destination",))
    assert code == 0 and [json.loads(line)["event"] for line in out.splitlines()] == ["clean"], out


def test_what_is_called_like_us_is_told_with_the_statement_that_removes_it(world):
    world.source.sql("CREATE FUNCTION bucardo_left() RETURNS int LANGUAGE sql AS 'SELECT 1';"
                     " ALTER DATABASE shop SET bucardo_machine.x = 'on'", dbname="shop")
    code, out, _ = world.run("--yes", "--json", sides=("source",))
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and {line["event"] for line in told} == {"left"}, out
    for line in told:
        world.source.sql(line["statement"], dbname="shop")
    code, out, err = world.run("--yes", sides=("source",))
    assert code == 0, (out, err)
    assert catalog(world.source, "shop") == world.before[1]
