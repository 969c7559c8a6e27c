"""The README's "Docker in five minutes", typed word for word at a terminal; podman answers to `docker`."""

import os
import re

import pytest
from support.containers import run
from support.documents import shell_blocks
from support.terminal import Terminal
from support.waiting import wait_for

pytestmark = pytest.mark.podman

# One engine for all: what the README names for its reader's machine gets a name of this test's own.
DOCKER = """#!/bin/bash
words=() last=
for word; do
    case $1:$last:$word in
    run:--name:bucardo-machine | exec:-t:bucardo-machine | stop:30:bucardo-machine) word={name} ;;
    run:-v:bucardo:*) word={name}:${{word#bucardo:}} ;;
    esac
    words+=("$word") last=$word
done
[[ ${{words[*]:0:2}} != "run -i" ]] || words=(run --rm "${{words[@]:1}}")
exec podman "${{words[@]}}"
"""
SUDO = "#!/bin/sh\nexec \"$@\"\n"


@pytest.fixture(name="desk")
def _desk(podman_stage, tmp_path):
    """A terminal in a folder with a pgpass file, and `docker` in its path."""
    machine = podman_stage.new_machine()
    for name, text in (("docker", DOCKER.format(name=machine.name)), ("sudo", SUDO)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    home = tmp_path / "desk"
    home.mkdir()
    (home / "pgpass").write_text("db.example:5432:app:app:secret\n")
    terminal = Terminal(["bash", "--norc", "-i"],
                        {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(home)})
    podman_stage.workshop.things.append(terminal)
    terminal.run(f"cd {home}").check()
    return machine, terminal


def _typed_later():
    """What the paragraph below the block says, as it stands there."""
    with open(os.path.join(os.path.dirname(__file__), *[".."] * 3, "README.md"), encoding="utf-8") as file:
        chapter = file.read().split("\n## Docker in five minutes\n")[1].split("\n## ")[0]
    return {line.split()[1]: line for line in re.findall(r"`(docker (?:stop|run -i)[^`]*)`", chapter)}


def test_the_commands_for_docker_make_a_machine_and_end_it_in_order(desk):
    machine, terminal = desk
    make, shell = "".join(shell_blocks("README.md", "Docker in five minutes")).rsplit("\ndocker exec", 1)
    terminal.run(make, 120).check()
    machine.first_pid = int(machine.inspect("{{.State.Pid}}"))

    terminal.type(f"docker exec{shell}".replace("\n", "\r"))
    machine.wait_ready()
    terminal.wait_for("bucardo-machine", 30)
    terminal.run("bucardo-machine health live").check()
    terminal.type("exit\r")
    wait_for(lambda: re.search(r"logout\s+bash\S*# $", terminal.text()), 20, "it is the desk's shell again",
             explain=terminal.log_tail)
    later = _typed_later()
    terminal.run(later["stop"], 60).check()
    assert machine.exit_code() == "0", machine.log_tail()

    # On one line: what is typed ahead would go to the program.
    ended = later["run"].replace("psql …", "bash -c 'exit 3'") + "; echo en''ded=$?\r"
    terminal.type(ended)
    terminal.wait_for("ended=3", 60)
    assert run(["podman", "ps", "-q", "--filter", f"name={machine.name}"]).output == ""
