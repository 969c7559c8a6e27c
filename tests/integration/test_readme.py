"""What README.md has its reader type works as it stands there."""

import os
import re

from support import compare, readme_flow
from support.traffic import marker

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


def _blocks(heading):
    """The shell blocks of one part of the README."""
    with open(README, encoding="utf-8") as file:
        part = file.read().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```shell\n(.*?)```", part, re.DOTALL)
    return [re.sub(r"(?m)^   ", "", block) for block in blocks]


def test_the_manual_flow_of_our_readme_moves_a_database(workshop):
    source, dest, dbname = workshop.pair()
    machine = workshop.machine()
    machine.write_pgpass(source, dest)
    machine.start().wait_ready(60)
    blocks = _blocks("Moving a database by hand")
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


def test_every_command_that_the_readme_names_exists(workshop):
    machine = workshop.machine()
    with open(README, encoding="utf-8") as file:
        named = set(re.findall(r"`bucardo-machine ((?:config|service|health|status|events"
                               r"|plan|migrate|pause|resume|clone)"
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
