"""A group of processes that gets a part of a processor (cgroup v2 cpu.max, or v1)."""

import contextlib
import os

import pytest

PERIOD = 100000  # microseconds, the kernel's own default


class Limit:
    """Processes that are put into it, and their children, share `part` of one processor."""

    def __init__(self, name, part):
        v1 = "/sys/fs/cgroup/cpu"
        self.is_v1 = os.path.isdir(v1)
        self.path = os.path.join(v1 if self.is_v1 else "/sys/fs/cgroup", name)
        try:
            if not self.is_v1:  # the root hands the controller down
                with open("/sys/fs/cgroup/cgroup.subtree_control", "w", encoding="ascii") as file:
                    file.write("+cpu")
            os.makedirs(self.path, exist_ok=True)
            self.set(part)
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(str(text))

    def set(self, part):
        quota = int(PERIOD * part)
        if self.is_v1:
            self.write("cpu.cfs_period_us", PERIOD)
            self.write("cpu.cfs_quota_us", quota)
        else:
            self.write("cpu.max", f"{quota} {PERIOD}")

    def add(self, pid):
        self.write("cgroup.procs", pid)

    def throttled(self):
        """How many periods it was held back in."""
        with open(os.path.join(self.path, "cpu.stat"), encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("nr_throttled"))

    def close(self):
        parent = os.path.dirname(self.path)
        with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as file:
            left = file.read().split()
        for pid in left:
            with contextlib.suppress(OSError), \
                    open(os.path.join(parent, "cgroup.procs"), "w", encoding="ascii") as out:
                out.write(pid)
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
