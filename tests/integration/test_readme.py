"""What README.md has its reader type works as it stands there."""

import os
import re

import psycopg2
import pytest
from support import compare, declared, readme_flow
from support.documents import documented, shell_blocks
from support.traffic import marker
from support.waiting import wait_for

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


def _blocks(heading):
    return shell_blocks("README.md", heading)


def test_the_commands_for_kubernetes_are_three_lines_to_type():
    lines = documented("README.md", "kubectl apply -k")
    assert [line.split()[0] for line in lines] == ["kubectl"] * 3, lines


def test_the_manual_flow_of_our_readme_moves_a_database(workshop):
    source, dest, dbname = workshop.pair()
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    machine.start().wait_ready(60)
    blocks = _blocks("By hand")
    assert len(blocks) >= 5
    # The values are the reader's own; everything else is typed as it stands.
    script = re.sub(r"(?m)^export .*\n", "", "".join(blocks))
    assert script.count("bucardo add") == 6 and "SOURCE_HOST=" not in script
    done = machine.shell("set -eo pipefail\n" + script, seconds=200,
                         env=readme_flow.environment(source, dest, dbname))
    assert done.code == 0, done.output[-3000:]
    marker(source, dest, dbname, dbname, 60)
    marker(dest, source, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname)


def test_the_cut_over_of_our_readme_and_the_way_back_lose_nothing(workshop):
    source, dest, dbname = workshop.pair()
    source.sql("CREATE TABLE history (note text); INSERT INTO history VALUES ('before')", dbname=dbname)
    machine = declared.replicating(workshop, source, dest, dbname)
    source.sql("INSERT INTO history VALUES ('meanwhile')", dbname=dbname)
    marker(source, dest, dbname, dbname, 60)
    env = {**readme_flow.environment(source, dest, dbname)}
    sides = {name: f"sslmode=require host={server.address} port={server.port} user={server.user} dbname={dbname}"
             for name, server in (("source", source), ("dest", dest))}

    def typed(heading):
        script = re.sub(r"(?m)^(source|dest)=.*\n", "", "".join(_blocks(heading)))
        # The table without a key is different until it is copied again.
        script = re.sub(r"(?m)^(bucardo-machine verify .*)$", r"\1 || [ $? -ge 4 ]", script)
        done = machine.shell("set -eo pipefail\n" + script, seconds=200, env={**env, **sides})
        assert done.code == 0, done.output[-3000:]
        return done.output

    shown = typed("Cut over")
    assert re.findall(r"(?m)^different +\w+ (\S+?),", shown) == ["public.history"], shown
    assert "rehearsed" in shown and "the destination is the live side now" in shown, shown
    assert dest.sql("SELECT note FROM history ORDER BY 1", dbname=dbname) == [("before",), ("meanwhile",)]
    with pytest.raises(psycopg2.Error) as refused:
        source.sql("DELETE FROM history", dbname=dbname)
    assert refused.value.pgcode == "25006" and str(dest.port) in str(refused.value), refused.value
    declared.reconciled(machine, lambda t: t["live"]["side"] == "destination", "is live there", member="live")
    marker(dest, source, dbname, dbname, 60)
    assert "the source is the live side now" in typed("Go back")
    typed("Is everything there?")
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
    done = machine.shell("yes | " + _blocks("Clean up both sides")[0].strip() + " --yes", seconds=120)
    assert "nothing of ours is left on" in done.output and done.code == 0, done.output


def test_every_command_that_the_readme_names_exists(workshop):
    machine = workshop.machine()
    with open(README, encoding="utf-8") as file:
        named = set(re.findall(r"`bucardo-machine ((?:config|service|health|status|events"
                               r"|doctor|plan|migrate|pause|resume|clone|accept|teardown|databases|verify|cutover|failback)"
                               r"[a-z ]*)", file.read().replace("\n", " ")))
    assert len(named) >= 5
    for words in sorted(named):
        words = words.split()
        assert machine.cli(*words, "--help").code == 0, f"there is no command '{' '.join(words)}'"


def test_the_migration_that_the_readme_shows_is_accepted(workshop):
    with open(README, encoding="utf-8") as file:
        shown = re.search(r"```yaml\n(.*?)```", file.read(), re.DOTALL).group(1)
    assert "migrations:" in shown
    path = os.path.join(workshop.folder, "shown.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(shown)
    workshop.machine().cli("config", "check", path).check()


def test_the_machine_yaml_of_the_configmap_example_is_accepted_also_with_what_it_shows(workshop):
    example = os.path.join(os.path.dirname(README), "kubernetes/examples/machine-yaml/machine.yaml")
    with open(example, encoding="utf-8") as file:
        shown = file.read()
    path, machine = os.path.join(workshop.folder, "shown.yaml"), workshop.machine()
    for text in (shown, re.sub(r"(?m)^# (?=migrations:|units:| )", "", shown)):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        machine.cli("config", "check", path).check()
    assert "\nmigrations:" in text and "\nunits:" in text


def test_the_reference_of_the_keys_is_what_the_program_prints(workshop):
    machine = workshop.machine()
    printed = machine.cli("config", "reference").check()
    path = os.path.join(os.path.dirname(README), "docs", "configuration.md")
    with open(path, encoding="utf-8") as file:
        assert printed.strip() in file.read()


def test_the_roles_of_our_readme_are_rights_enough(workshop):
    with open(README, encoding="utf-8") as file:
        shown = re.search(r"```sql\n(.*?)```", file.read(), re.DOTALL).group(1)
    source, dest, dbname = workshop.pair()
    source.sql("CREATE ROLE app_owner", dbname=dbname)
    source.sql("""DO $$ DECLARE c record; BEGIN
        FOR c IN SELECT oid::regclass AS name, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace
         AND (relkind IN ('r', 'p', 'v', 'm') OR relkind = 'S' AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = pg_class.oid
          AND d.deptype IN ('a', 'i'))) LOOP EXECUTE format('ALTER TABLE %s OWNER TO app_owner', c.name); END LOOP; END $$""",
               dbname=dbname)
    shown = shown.replace("'...'", "'word'").replace("DATABASE app", f'DATABASE "{dbname}"')
    for server, script in zip((source, dest), shown.split("-- on the destination")):
        server.sql(script, dbname=dbname)
    machine = workshop.machine()
    machine.write_pgpass(text="".join(f"{s.address}:{s.port}:*:mover:word\n" for s in (source, dest)))
    machine.write_config(declared.yaml(source, dest, dbname).replace(f"user: {source.user}", "user: mover")
                         .replace("migrations:\n  - name: app\n", "migrations:\n  - name: app\n    create_roles: true\n"))
    machine.start()
    found = declared.wait_live(machine)["findings"]
    assert [one for one in found if one["severity"] == "stops"] == []
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
    typed = "".join(_blocks("When something is wrong"))
    done = machine.shell("set -eo pipefail\n" + typed, seconds=120)
    assert typed.startswith("bucardo-machine doctor") and done.code == 0, done.output
    assert "app: nothing is wrong" in done.output and re.search(r"(?m)^app +live ", done.output), done.output
    dest.sql("REVOKE SET ON PARAMETER session_replication_role FROM mover")
    lost = machine.shell("set -eo pipefail\n" + typed, seconds=120)
    cure = "GRANT SET ON PARAMETER session_replication_role TO mover"
    assert lost.code == 5 and "stops  permission on the destination" in lost.output, lost.output
    assert cure in " ".join(lost.output.split()), lost.output
    dest.sql(cure)
    wait_for(lambda: "app: nothing is wrong" in machine.cli("doctor", seconds=90).output, 60, "it is cured",
             explain=lambda: machine.cli("doctor", seconds=90).output)


def test_after_a_lost_volume_a_new_machine_goes_on_as_our_readme_says(workshop):
    source, dest, dbname = workshop.pair()
    declared.replicating(workshop, source, dest, dbname).kill9_everything()
    copied = dest.value("SELECT max(done) FROM bucardo_machine.chunk", dbname=dbname)
    machine = workshop.machine(name="other")
    machine.write_pgpass(source, dest)
    machine.write_config(declared.yaml(source, dest, dbname))
    machine.start()
    declared.wait_view(machine, lambda v: v["class"] == "operator", "it is refused")
    for server in (source, dest):  # instead of waiting a minute
        server.sql("UPDATE bucardo.machine_beats SET seen = now() - interval '2 minutes'", dbname=dbname)
    machine.cli("accept", "app", "take-over").check()
    declared.wait_live(machine)
    assert dest.value("SELECT max(done) FROM bucardo_machine.chunk", dbname=dbname) == copied, "copied again"
    marker(source, dest, dbname, dbname, 60)
    compare.wait_equal(source, dest, dbname, sequences="ahead")
