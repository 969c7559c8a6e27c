"""docs/status.svg: what `status --watch` shows on a real terminal in the middle of a copy."""

import html
import os
import re

from support.samples import REPOSITORY
from support.terminal import Terminal
from support.waiting import wait_for

from .declared import Declared
from .show import say

FILE = os.path.join(REPOSITORY, "docs", "status.svg")
SIZE = (26, 100)
COLOURS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "36": "#56b6c2"}
GLYPH, LINE, EDGE = 8.4, 18, 14


def screens(raw):
    """What the terminal showed, one text for each time it was cleared."""
    return re.split(r"\x1b\[H|\x1b\[2J", raw.decode("utf-8", "replace"))


def spans(line):
    """(style, text) of a line, its SGR sequences taken as they stand."""
    style = ""
    for number, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", line)):
        if number % 2:
            style = "" if part in ("", "0") else part
        elif text := re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", part):
            yield style, text


def tspan(style, text):
    words = style.split(";")
    colour = next((COLOURS[word] for word in words if word in COLOURS), None)
    kind = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if "1" in words else "") \
        + (' opacity="0.6"' if "2" in words else "")
    return f"<tspan{kind}>{html.escape(text)}</tspan>"


def svg(screen):
    lines = screen.rstrip().split("\n")
    width, height = SIZE[1] * GLYPH + 2 * EDGE, len(lines) * LINE + 2 * EDGE
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
           'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#d7dae0">',
           '<rect width="100%" height="100%" rx="8" fill="#21252b"/>']
    for number, line in enumerate(lines):
        text = "".join(tspan(*span) for span in spans(line))
        out.append(f'<text x="{EDGE}" y="{EDGE + 13 + number * LINE}" xml:space="preserve">{text}</text>')
    return "\n".join(out) + "\n</svg>\n"


class Picture(Declared):
    """Half of a copy, then a look at the terminal."""

    def acts(self):
        self.servers()
        self.declare()
        self.watch(lambda view: view["phase"] == "copy" and (view["progress"]["percent"] or 0) >= 35, 180)
        argv, env = self.machine.inside([self.machine.binary, "status", "--watch"])
        terminal = Terminal(argv, env={**env, "TERM": "xterm-256color", "LANG": "C.UTF-8"}, size=SIZE)
        try:
            shown = wait_for(lambda: [s for s in screens(terminal.raw()) if " left" in s or "%" in s][1:-1],
                             30, "the screen is drawn again")
        finally:
            terminal.close()
        with open(FILE, "w", encoding="utf-8") as out:
            out.write(svg(shown[-1]))
        say(f"{os.path.relpath(FILE, REPOSITORY)} is written.")
