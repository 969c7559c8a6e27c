"""A person's terminal: a pseudo-terminal with a program on it and somebody who watches.

    terminal = Terminal(["kubectl", "exec", "-i", "-t", "bucardo-machine-0", "--", "bash", "-l"])
    terminal.type("bucardo status\\r")
    terminal.wait_for("MyDBSync", 10)
    terminal.vanish()                   # kill -9: gone without a word

With `answers` it tells its status when asked (ESC [ 5 n), as real terminals do.
"""

import os
import pty
import re
import signal
import struct
import threading
import time
from fcntl import ioctl
from termios import TIOCSWINSZ

from .machine import Result
from .waiting import wait_for

QUESTION, ANSWER = b"\x1b[5n", b"\x1b[0n"


class Terminal:
    """One program on one terminal; everything it prints is kept, with its time."""

    def __init__(self, argv, env=None, answers=True, size=(50, 132)):
        self.answers, self.name = answers, "terminal"
        self.pieces = []  # (monotonic time, bytes)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test in the background ignores it
            os.execvpe(argv[0], argv, env or os.environ)
        self.resize(*size)
        self.exit_code = None
        self._typed = 0
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                break
            self.pieces.append((time.monotonic(), data))
            if self.answers and QUESTION in data:
                os.write(self.fd, ANSWER)
        self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def resize(self, rows, columns):
        ioctl(self.fd, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def raw(self):
        """All bytes so far."""
        return b"".join(data for _, data in list(self.pieces))

    def text(self):
        """What a person sees: no control sequences, no NULs."""
        seen = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]|[\x00\r]", b"", self.raw())
        return seen.decode("utf-8", "replace")

    def run(self, script, seconds=60):
        """Type a script word for word; (exit code of its last command, what was shown)."""
        self._typed += 1
        begin = len(self.text())
        self.type(script.rstrip("\n").replace("\n", "\r") + f"\recho en''ded {self._typed}=$?.\r")
        ended = re.compile(rf"ended {self._typed}=(\d+)\.")
        found = wait_for(lambda: ended.search(self.text(), begin), seconds,
                         f"the shell has done:\n{script}\n", explain=self.log_tail)
        return Result(script, int(found.group(1)), self.text()[begin:found.start()])

    def since(self, moment):
        """The bytes that came after a moment (time.monotonic())."""
        return b"".join(data for when, data in list(self.pieces) if when > moment)

    def wait_for(self, text, seconds=20):
        return wait_for(lambda: text in self.text(), seconds, f"the terminal shows '{text}'",
                        explain=self.log_tail)

    def wait_end(self, seconds=20):
        wait_for(lambda: self.exit_code is not None, seconds, "the program on the terminal ends",
                 explain=self.log_tail)
        return self.exit_code

    def vanish(self):
        """The client is gone, without a word."""
        os.kill(self.pid, signal.SIGKILL)
        self._watcher.join(10)

    def close(self):
        if self.exit_code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._watcher.join(10)

    def remove(self):
        self.close()

    def log_tail(self, lines=40):
        return "\n".join(["--- terminal", *self.text().splitlines()[-lines:]])
