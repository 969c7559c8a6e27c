"""`status --watch` on a real terminal."""

import pytest
from support.terminal import Terminal
from support.waiting import wait_for

pytestmark = pytest.mark.timeout(120)
HOME = b"\x1b[H"


def _screens(terminal):
    """What was drawn so far, one whole screen each."""
    return terminal.raw().split(HOME)[1:-1]


def test_on_a_small_screen_the_top_stays_in_sight(workshop):
    machine = workshop.machine()
    machine.start().wait_ready(60)
    argv, env = machine.inside([machine.binary, "status", "--watch"])
    terminal = Terminal(argv, env={**env, "TERM": "xterm"}, size=(6, 50))
    try:
        wait_for(lambda: len(_screens(terminal)) >= 2, 20, "two screens are drawn")
        screen = _screens(terminal)[-1]
        assert b"The machine has been" in screen
        assert screen.count(b"\n") < 6, "more lines than the screen has"
        assert b"\x1b[?7l" in screen and b"\x1b[?7h" in screen, "long lines would wrap"
        terminal.resize(50, 132)
        wait_for(lambda: b"No sync is configured" in _screens(terminal)[-1], 20,
                 "all of it on a large screen")
        machine.stop()
        wait_for(lambda: b"bucardo-machine: " in terminal.raw(), 20, "its end is told")
        terminal.type("\x03")
        wait_for(lambda: terminal.exit_code is not None, 10, "Ctrl-C ends it")
    finally:
        terminal.close()
