"""Story 8 in podman: `podman run IMAGE -- COMMAND`, its exit codes, signals and orphans."""

import json

import pytest
from support.containers import ContainerInit, image, run
from support.stories import pid1

pytestmark = pytest.mark.podman


@pytest.fixture(scope="module")
def init(shared_podman_stage):  # pylint: disable=unused-argument  (skips without podman)
    return ContainerInit.of


@pytest.mark.parametrize("code", pid1.CODES)
def test_the_commands_exit_code_becomes_ours(init, code):
    pid1.the_commands_exit_code_becomes_ours(init, code)


@pytest.mark.parametrize("name", pid1.KILLS)
def test_a_killed_command_gives_128_and_the_signal(init, name):
    pid1.a_killed_command_gives_128_and_the_signal(init, name)


def test_the_command_may_stand_without_dashes_before_it(shared_podman_stage):
    del shared_podman_stage  # it skips without podman
    with ContainerInit(["psql", "--version"]) as started:
        code, out, _ = started.end(60)
    assert code == 0 and out.startswith(b"psql (PostgreSQL)")


def test_a_command_of_ours_is_run_by_its_name(shared_podman_stage):
    del shared_podman_stage  # it skips without podman
    for words, expected in ((["version"], b"bucardo-machine "), (["help"], b"usage: "),
                            (["clone", "--help"], b"usage: bucardo-machine clone")):
        with ContainerInit(words) as started:
            code, out, _ = started.end(60)
        assert code == 0 and out.startswith(expected), (words, code, out)
    with ContainerInit(["status"]) as started:
        code, _, err = started.end(60)
    assert code == 1 and b"no machine is running" in err


def test_the_image_says_which_version_it_is(shared_podman_stage):
    del shared_podman_stage  # it skips without podman
    with ContainerInit(["version"]) as started:
        _, out, _ = started.end(60)
    name, _, tag = image().rpartition(":")
    labels = json.loads(run(["podman", "image", "inspect", "-f", "{{json .Labels}}", image()]).check())
    says = {word.removeprefix("org.opencontainers.image."): text for word, text in labels.items()}
    assert says["version"] == tag == out.split()[-1].decode() and says["title"] == name.split("/")[-1]
    assert says["base.name"].endswith("debian:trixie-slim") and says["licenses"] == "BSD-2-Clause"


def test_a_missing_command_gives_127_and_is_named(init):
    pid1.a_missing_command_gives_127_and_is_named(init)


def test_a_file_that_is_no_program_gives_126_and_is_named(init):
    pid1.a_file_that_is_no_program_gives_126_and_is_named(init)


def test_every_signal_is_passed_on(init):
    pid1.every_signal_is_passed_on(init)


def test_a_stopped_command_hears_term(init):
    pid1.a_stopped_command_hears_term(init)


def test_a_command_that_ignores_term_goes_on_and_the_init_still_serves_it(init):
    pid1.a_command_that_ignores_term_goes_on_and_the_init_still_serves_it(init)


def test_ten_thousand_orphans_are_reaped_as_they_come(init):
    pid1.ten_thousand_orphans_are_reaped_as_they_come(init)


def test_many_orphans_that_die_at_once_are_reaped(init):
    # The container may have 1000 processes in all.
    pid1.orphans_that_die_at_once_are_reaped(init, 900)


@pytest.mark.parametrize("range_msec", [(0, 1), (0, 20), (20, 400)])
def test_a_term_at_any_moment_of_the_start_is_obeyed(init, range_msec, rounds):
    pid1.a_term_at_any_moment_of_the_start_is_obeyed(init, range_msec, rounds(2, 10))
