"""Story 1: a fresh start, and the original README typed word for word while applications write."""

from support import compare, readme_flow, samples
from support.traffic import Traffic, marker

# The ways in which people run one command in the pod.
WAYS = {"a login shell": ("bash", "-lc"), "a shell": ("bash", "-c")}


def test_the_readme_moves_a_database_under_writes_and_back(stage):
    sample = samples.best()
    source, dest = stage.pair(sample)
    machine = stage.machine(source, dest).wait_ready()
    terminal = machine.terminal()

    # Up to the copy nobody may write what only a copy could bring; then everybody may.
    with Traffic(source, sample) as traffic:
        readme_flow.sit_and_type(terminal, source, dest, sample)
        marker(source, dest, sample, sample, seconds=60)
        traffic.wait_total(100)
    assert traffic.total() > 100
    compare.wait_equal(source, dest, sample, seconds=60)

    # Cut over: the applications write to the new server now, and the old one follows.
    with Traffic(dest, sample) as traffic:
        marker(dest, source, sample, sample, seconds=60)
        traffic.wait_total(100)
    compare.wait_equal(dest, source, sample, seconds=60)

    look_after_it(machine, terminal, readme_flow.environment(source, dest, sample))
    assert "undefined import" not in machine.log(), "Perl complains of Bucardo, people worry"


def look_after_it(machine, terminal, env):
    """What the README has people type later, in every way in which they may."""
    assert "MyDBSync | Good" in terminal.run("bucardo status").check()
    assert "MyDBGroup" in terminal.run("bucardo list all").check()
    assert "db1:source" in terminal.run("bucardo help add dbgroup").check()
    for way, words in WAYS.items():
        for command, shown in (
                ("bucardo status", "MyDBSync"), ("bucardo list all", "MyDBGroup"),
                ("pg_dump --schema-only \"sslmode=require host=$SOURCE_HOST "
                 "port=$SOURCE_PORT user=$SOURCE_USER dbname=$SOURCE_DATABASE\"", "CREATE TABLE"),
                ("psql -X -A -t -c 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()' "
                 "\"sslmode=require host=$DEST_HOST port=$DEST_PORT user=$DEST_USER "
                 "dbname=$DEST_DATABASE\"", "t\n")):
            output = machine.exec(*words, command, env=env).check()
            assert shown in output, f"{command}, typed in {way}"
    assert "MyDBSync" in machine.exec("bucardo", "status").check()
    terminal.type("exit\r")
    assert terminal.wait_end() == 0
