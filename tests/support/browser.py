"""A page as a person's browser has it: Debian's chromium, without a screen."""

import os
import re
import subprocess
import tempfile


def _run(page, *options):
    """What it wrote to its log; `page` is a path."""
    with tempfile.TemporaryDirectory(prefix="bm-browser-") as profile:
        argv = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
                f"--user-data-dir={profile}", *options, f"file://{os.path.abspath(page)}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"chromium ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stderr


def photograph(page, path, width=1000, height=800):
    """A picture of its top; returns what the page complained of (errors of the console)."""
    return re.findall(r':CONSOLE[:(]\d+\)?\] (".*)', _run(page, f"--screenshot={path}", f"--window-size={width},{height}"))


def printed(page, path):
    """The PDF of its print; returns how many sheets it has."""
    _run(page, f"--print-to-pdf={path}", "--no-pdf-header-footer")
    with open(path, "rb") as pdf:
        return len(re.findall(rb"/Type\s*/Page\b", pdf.read()))
