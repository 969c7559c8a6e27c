"""The truth at first glance: what is not in step, what is rejected, whose password is wrong."""

import contextlib
import os
import re
import signal

import pytest
from support.declared import view, wait_live, wait_view, yaml
from support.samples import REPOSITORY
from support.terminal import Terminal
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(240)

TABLES = """
    CREATE TABLE orders (id bigserial PRIMARY KEY, a text);
    INSERT INTO orders (a) SELECT 'x' FROM generate_series(1, 500);
    CREATE TABLE history (id int, t text);
    INSERT INTO history SELECT g, 'x' FROM generate_series(1, 1943) g;
    CREATE TABLE "Calm one" (id int);
    CREATE TABLE late (id int PRIMARY KEY, t text);
    CREATE SCHEMA audit;
    CREATE TABLE audit.log (id int PRIMARY KEY);
    SELECT lo_from_bytea(0, 'one');
"""
EXTRA = '    tables: {exclude: ["audit.*"]}\n'


@pytest.fixture(scope="module")
def world(shared_workshop):
    source, dest = shared_workshop.server("source"), shared_workshop.server("dest")
    for server in (source, dest):
        server.create_database("shop")
    source.sql(TABLES, dbname="shop")
    machine = shared_workshop.machine()
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, "shop", extra=EXTRA))
    machine.start()
    wait_live(machine)
    return machine, source, dest


def shown(machine, *words):
    return " ".join(machine.cli("status", *words).check().split())


def watched(machine, text, size=(24, 80)):
    """What a person sees of --watch once `text` is there: one whole screen."""
    argv, env = machine.inside([machine.binary, "status", "--watch"])
    terminal = Terminal(argv, env={**env, "TERM": "xterm", "NO_COLOR": "1"}, size=size)

    def last():
        drawn = terminal.raw().split(b"\x1b[H")[1:-1]
        plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", drawn[-1]).decode() if drawn else ""
        return plain if text in " ".join(plain.split()) else None
    try:
        return wait_for(last, 20, f"the screen has '{text}'", explain=terminal.log_tail)
    finally:
        terminal.close()


def not_in_step(machine):
    return {one["name"]: one for one in (view(machine) or {}).get("not_in_step") or []}


def wait_counted(machine, what, condition, seconds=30):
    def reached():
        one = not_in_step(machine).get(what)
        return one if one and condition(one) else None
    return wait_for(reached, seconds, f"{what} is counted", explain=lambda: str(view(machine)))


def test_what_is_not_kept_in_step_is_told_with_both_counts(world):
    machine, source, _ = world
    calm = wait_counted(machine, "public.history", lambda one: one["source"] == 1943)
    assert calm["destination"] == 1943 and calm["kind"] == "keyless"
    assert "with as many rows on both sides" in shown(machine)
    assert not_in_step(machine)['public."Calm one"']["source"] == 0
    assert not_in_step(machine)["audit.log"]["kind"] == "excluded"
    assert not_in_step(machine)["audit.log"]["destination"] is None
    assert "left out: 1 table by machine.yaml: audit.log" in shown(machine)
    source.sql("INSERT INTO history SELECT g, 'y' FROM generate_series(1, 21548) g;"
               "SELECT lo_from_bytea(0, 'two')", dbname="shop")
    # A table that is paused is counted at once, and all others with it.
    source.sql("ALTER TABLE late ADD COLUMN n int; INSERT INTO late SELECT 1, 't', 2", dbname="shop")
    late = wait_counted(machine, "public.late", lambda one: one["kind"] == "paused", 60)
    assert (late["source"], late["destination"]) == (1, 0) and "n is on the source only" in late["why"]
    apart = wait_counted(machine, "public.history", lambda one: one["source"] == 23491)
    assert apart["destination"] == 1943 and not apart["source_about"] and apart["age_msec"] < 60000
    assert apart["counted_at"].endswith("Z")
    assert not_in_step(machine)["large objects"]["source"] == 2
    for screen in (shown(machine), " ".join(watched(machine, "NOT in step").split())):
        assert re.search(r"NOT in step: public\.history, 23,491 rows on the source, 1,943 on the "
                         r"destination, counted (under 1|\d+) s ago", screen), screen
        assert "NOT in step: large objects, 2 on the source, 1 on the destination" in screen
        assert "NOT in step: public.late, 1 row on the source, 0 on the destination" in screen


def test_a_table_that_cannot_be_counted_is_told_as_about(world):
    machine, _, dest = world
    holder = dest.connect("shop", autocommit=False)
    holder.cursor().execute("LOCK TABLE history IN ACCESS EXCLUSIVE MODE")
    try:
        # What is paused no more makes it count anew, too.
        dest.sql("ALTER TABLE late ADD COLUMN n int", dbname="shop")
        one = wait_counted(machine, "public.history", lambda one: one["destination_about"], 40)
    finally:
        holder.rollback()
        holder.close()
    assert (one["source"], one["source_about"]) == (23491, False) and one["destination"] == 1943
    assert "about 1,943 on the destination" in shown(machine)
    assert "public.late" not in not_in_step(machine)


def test_a_migration_that_replicates_is_live_and_its_databases_have_parts(world):
    machine, _, _ = world
    assert view(machine)["live"] is True and view(machine)["status"] == "live"
    assert re.search(r"^app +live ", machine.cli("status").check(), re.MULTILINE)
    assert {db["name"]: db["part"] for db in machine.status_json()["databases"]} == {
        "app_source": "source", "app_destination": "destination"}


def test_a_paused_sync_says_who_paused_it_and_when(world):
    machine, _, _ = world
    machine.cli("pause", "app").check()
    wait_view(machine, lambda v: v["status"] == "paused", "it is paused")
    sync = machine.sync("app_sync")
    assert sync["health"] == "stopped" and view(machine)["live"] is False
    assert re.match(r"paused by uid \d+ on \d{4}-\d\d-\d\d at \d\d:\d\d:\d\d UTC$", sync["why"])
    assert "bucardo-machine resume app" in sync["advice"]
    machine.cli("resume", "app").check()
    wait_view(machine, lambda v: v["live"], "it is live again", 30)


def test_with_bucardo_down_no_migration_is_live(world):
    machine, _, _ = world
    machine.cli("service", "stop", "bucardo").check()
    wait_for(lambda: machine.unit("bucardo")["state"] == "down", 30, "it is down")
    assert view(machine)["live"] is False and view(machine)["status"] == "halted"
    text = machine.cli("status").check()
    assert "halted" in text and "nothing is applied" in text and "lag: none" not in text
    machine.cli("service", "start", "bucardo").check()
    wait_view(machine, lambda v: v["live"], "it is live again", 60)


def test_after_a_restart_no_phase_is_named_before_the_journal_says_which(world):
    machine, _, _ = world
    machine.cli("service", "stop", "postgres").check()
    machine.stop()
    machine.start()
    before = wait_for(lambda: view(machine), 30, "the migration is shown")
    assert before["status"] == "waiting" and before["phase"] is None
    assert before["why"] == "waits for the control database, to know how far it came"
    assert before["progress"]["percent"] is None and not before["live"]
    assert {phase["state"] for phase in before["phases"]} == {"unknown"}
    for words in ((), ("--all",)):
        text = machine.cli("status", *words).check()
        assert re.search(r"^app +waiting +\S", text, re.MULTILINE) and "preflight" not in text, text
        assert "to know how far it came" in " ".join(text.split())
        assert "The syncs were not looked at yet" in text and "No sync is known" not in text, text
    assert "how far it came is not known yet" in machine.cli("plan", "app").output
    machine.cli("service", "start", "postgres").check()
    seen = []
    wait_view(machine, lambda v: seen.append(v["phase"]) or v["live"], "it is live again", 60)
    assert set(seen) <= {None, "replicate"}, seen


def test_a_rejected_configuration_is_in_the_headline_and_not_ready(world):
    machine, source, dest = world
    machine.write_config(yaml(source, dest, "shop", extra=EXTRA) + "lgo: {}\nmore: 1\n")
    wait_for(lambda: "machine.yaml is rejected" in machine.status_json()["why"], 20, "it is told",
             explain=lambda: machine.status_json()["why"])
    status = machine.status_json()
    assert not status["ready"] and "lgo" in status["why"] and "1 more" in status["advice"]
    assert machine.cli("health", "ready").code == 1
    assert view(machine)["live"] is True  # the one before stays in force
    machine.write_config(yaml(source, dest, "shop", extra=EXTRA))
    wait_for(lambda: "machine.yaml" not in machine.status_json()["why"], 20, "it is in force")


def test_a_migration_that_is_stuck_and_taken_out_of_the_file_is_in_nobodys_way(world):
    machine, source, dest = world
    mine = yaml(source, dest, "shop", extra=EXTRA)
    machine.write_config(mine + yaml(dest, source, "shop", name="wrong").split("migrations:\n")[1])
    wait_for(lambda: "'wrong' is stuck" in machine.status_json()["why"], 60, "it is stuck",
             explain=machine.log_tail)
    machine.write_config(mine)
    wait_for(lambda: "wrong" not in machine.status_json()["why"], 20, "it is no trouble any more",
             explain=lambda: machine.status_json()["why"])
    assert view(machine, "wrong")["status"] == "paused"
    machine.wait_ready(60)


def test_a_migration_that_replicates_and_is_taken_out_of_the_file_is_not_called_paused(world):
    machine, source, dest = world
    machine.write_config("version: 1\n")
    told = wait_view(machine, lambda v: "does not name it any more" in v["why"], "it is told")
    assert told["status"] == "live" and "teardown" in told["hint"], told
    source.sql("INSERT INTO late VALUES (4711)", dbname="shop")
    wait_for(lambda: dest.value("SELECT count(*) FROM late WHERE id = 4711", dbname="shop") == 1, 30, "it goes on")
    sync, = machine.status_json()["syncs"]
    assert sync["health"] != "stopped", sync
    assert "does not name it any more" in " ".join(machine.cli("status").check().split())
    machine.write_config(yaml(source, dest, "shop", extra=EXTRA))
    wait_view(machine, lambda v: v["status"] == "live" and v["why"] == "", "it is looked after again")


def test_a_wrong_password_names_the_line_to_correct_and_never_the_password(world):
    machine, source, dest = world
    machine.write_pgpass(text=source.pgpass_line() + dest.pgpass_line().rsplit(":", 1)[0]
                         + ":not-this-one\n")
    dest.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'"
             " AND pid <> pg_backend_pid()", dbname="shop")
    line = f"{dest.address}:{dest.port}:shop:{dest.user}"
    wait_for(lambda: line in machine.status_json()["advice"], 60, "the line is named",
             explain=lambda: machine.status_json()["why"] + machine.log_tail())
    status = machine.status_json()
    assert not status["ready"] and "wrong password in the line of pgpass for " + line in status["why"]
    everything = machine.cli("status", "--json").output + machine.cli("events").output + machine.log()
    assert "not-this-one" not in everything
    machine.write_pgpass(source, dest)
    wait_for(lambda: line not in machine.status_json()["why"], 60, "it is corrected")


def test_a_password_that_was_changed_is_told_when_only_new_sessions_are_refused(world):
    machine, source, dest = world
    line = f"{source.address}:{source.port}:shop:{source.user}"
    source.sql(f"ALTER ROLE {source.user} PASSWORD 'another'")
    try:
        for kid in machine.find("kid"):
            os.kill(kid, signal.SIGKILL)
        source.sql("INSERT INTO orders (a) VALUES ('waits')", dbname="shop")
        wait_for(lambda: line in machine.status_json()["why"], 18, "the line is named, before a stall",
                 explain=lambda: machine.status_json()["why"] + machine.log_tail())
    finally:
        source.sql(f"ALTER ROLE {source.user} PASSWORD '{source.password}'")
    wait_for(lambda: line not in machine.status_json()["why"], 60, "it is corrected")
    machine.write_pgpass(source, dest)


def test_names_and_near_misses_are_understood(world):
    machine, source, _ = world
    near = machine.cli("pause", "ap")
    assert near.code == 1 and "did you mean 'app'?" in near.output
    assert "did you mean 'bucardo'?" in machine.cli("service", "stop", "bucrado").output
    # One that machine.yaml no longer names can still be torn down.
    names = sorted(found["name"] for found in machine.status_json()["migrations"])
    assert "app" in names
    bash = 'source <(bucardo-machine completion bash); COMP_WORDS=(bucardo-machine %s); ' \
           'COMP_CWORD=%d; _bucardo_machine; echo "${COMPREPLY[@]}"'
    zsh = "zsh -fc 'compdef() {}; compadd() { shift; print -r -- $*; }; _files() { print -r files; }; " \
          "source <(bucardo-machine completion zsh); words=(bucardo-machine %s); CURRENT=%d; " \
          "_bucardo_machine'"
    for typed, place, offered in (("sta", 1, "status"), ("config re", 2, "reference reload"),
                                  ("pause ''", 2, " ".join(names)), ("service stop bu", 3, "bucardo"),
                                  ("accept app re", 3, "resend"), ("status --w", 2, "--watch"),
                                  ("migrate app --until c", 4, "capture copy")):
        assert machine.shell(bash % (typed, place)).check() == offered + "\n", typed
        typed = typed.replace("''", '""')
        assert machine.shell(zsh % (typed, place + 1)).check() == offered + "\n", typed
    assert "Makefile" in machine.shell(f"cd {REPOSITORY}; " + bash % ("run --volume Ma", 3)).check()
    assert machine.shell(zsh % ("run --volume Ma", 4)).check() == "files\n"
    here = machine.cli("databases").check()
    assert f"host={machine.runtime} dbname=bucardo user=bucardo" in here
    line = next(line for line in here.splitlines() if line.endswith("# source"))
    assert f"port='{source.port}'" in line
    assert machine.shell(line.split("#")[0] + " -XAtc 'SELECT count(*) FROM history'").check() \
        == "23491\n"
    psql = os.path.join(REPOSITORY, "image", "usr", "local", "bin", "psql")
    with open(psql, encoding="utf-8") as script:
        alone = machine.shell(script.read())
    assert alone.code == 2 and alone.output == here


@pytest.mark.full
def test_bucardo_that_is_restarted_again_and_again_is_in_the_headline(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)

    def dies():
        for mcp in machine.find("mcp"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(mcp, signal.SIGKILL)
        return "again and again" in machine.status_json()["why"]
    wait_for(dies, 60, "it is told", every=0.5, explain=machine.log_tail)
    status = machine.status_json()
    assert not status["ready"] and re.match(r"Bucardo is restarted again and again: \d+ times within "
                                            r"\d.* ago: ended ", status["why"]), status["why"]
    assert "service stop bucardo" in status["advice"]
