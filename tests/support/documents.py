"""What the documents have their readers type."""

import os
import re
import textwrap

REPOSITORY = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def shell_blocks(path, heading=None):
    """The shell blocks of a document, or of the part of it below this heading; those in lists too."""
    with open(os.path.join(REPOSITORY, path), encoding="utf-8") as file:
        text = file.read()
    if heading:
        text = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^( *)```shell\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in blocks]


def documented(path, word):
    """The commands of the shell block of a document that has this word; none that needs a terminal."""
    block = next(block for block in shell_blocks(path) if word in block)
    return [line for line in block.replace("\\\n", "").splitlines() if line and " exec -i -t " not in line]
