"""Groups of processes (cgroup v2, or v1): one that gets a part of a processor, one whose memory is counted."""

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


class MemoryGroup:
    """What the kernel charges a container with; `limit`, in bytes, is what it may have."""

    def __init__(self, name="bm-bench", limit=None):
        v1 = "/sys/fs/cgroup/memory"
        self.is_v1 = os.path.isdir(v1)
        self.root = v1 if self.is_v1 else "/sys/fs/cgroup"
        self.path = os.path.join(self.root, name)
        try:
            if not self.is_v1 and limit:  # the root hands the controller down
                with open("/sys/fs/cgroup/cgroup.subtree_control", "w", encoding="ascii") as file:
                    file.write("+memory")
            os.makedirs(self.path, exist_ok=True)
            if limit:
                with open(os.path.join(self.path, "memory.limit_in_bytes" if self.is_v1 else "memory.max"), "w", encoding="ascii") as file:
                    file.write(str(limit))
        except OSError:
            self.path = None

    @contextlib.contextmanager
    def entered(self):
        """What is begun within belongs to it."""
        if self.path is None:
            yield
            return
        with open("/proc/self/cgroup", encoding="ascii") as file:
            mine = dict(line.rstrip("\n").split(":")[1:] for line in file)
        home = self.root + mine["memory" if self.is_v1 else ""]
        self._move(self.path)
        try:
            yield
        finally:
            self._move(home)

    @staticmethod
    def _move(path, pid="0"):
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(pid)

    def _number(self, name):
        with open(os.path.join(self.path, name), encoding="ascii") as file:
            return int(file.read())

    def say(self):
        if self.path is None:
            return "no control group can be made here"
        used = self._number("memory.usage_in_bytes" if self.is_v1 else "memory.current")
        with open(os.path.join(self.path, "memory.stat"), encoding="ascii") as file:
            stat = dict(line.split() for line in file)
        cached = int(stat["active_file"]) + int(stat["inactive_file"])
        return f"control group without file cache: {(used - cached) / 2**20:.1f} MB"

    def close(self):
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
