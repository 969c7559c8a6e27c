"""Processes of this computer, containers' ones included: who is below whom, who is what."""

import array
import os
import signal


def cmdline(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode(errors="replace").strip()


def _title(text):
    def matches(pid):
        try:
            return text in cmdline(pid)
        except OSError:
            return False
    return matches


def _is_postmaster(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "postgres" \
            and not cmdline(pid).startswith("postgres:")
    except OSError:
        return False


KINDS = {
    "mcp": _title("Bucardo Master Control Program"),
    "ctl": _title("Bucardo Controller."),
    "kid": _title("Bucardo Kid."),
    "vac": _title("Bucardo VAC."),
    "postmaster": _is_postmaster,
    "backend": _title("postgres: bucardo bucardo"),
    "observe": _title("worker observe"),
}


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def memory(members):
    """The bytes that they have in memory together, each page once, whoever else has it: what a
    container of them needs. None where only root may see that."""
    pages = set()
    for pid in members:
        try:
            pages |= _pages(pid)
        except OSError:
            continue  # it has ended
    return (len(pages) * os.sysconf("SC_PAGE_SIZE") or None) if os.getuid() == 0 else None


def _pages(pid):
    size, found = os.sysconf("SC_PAGE_SIZE"), set()
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps, \
            open(f"/proc/{pid}/pagemap", "rb", buffering=0) as table:
        for line in maps:
            begin, end = (int(word, 16) for word in line.split()[0].split("-"))
            if line.rstrip().endswith("[vsyscall]"):
                continue  # the kernel's, beyond the table
            entries = array.array("Q", os.pread(table.fileno(), (end - begin) // size * 8, begin // size * 8))
            # Bit 63: it is in memory; the lower 55 bits: where.
            found.update(entry & (1 << 55) - 1 for entry in entries if entry >> 63)
    return found - {0}


def children(pid):
    found = []
    for parent, child in _parents():
        if parent == pid:
            found.append(child)
    return found


def _parents():
    for pid in pids():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                yield int(file.read().rpartition(b")")[2].split()[1]), pid
        except OSError:
            continue


def descendants(pid):
    """All processes below `pid`."""
    by_parent = {}
    for parent, child in _parents():
        by_parent.setdefault(parent, []).append(child)
    found, queue = [], [pid]
    while queue:
        below = by_parent.get(queue.pop(), [])
        found += below
        queue += below
    return found


def freeze(pid):
    """Stop `pid` and all below it, those too that are started meanwhile; returns them."""
    frozen, found = [], [pid]
    while found:
        for one in found:
            send(one, signal.SIGSTOP)
        frozen += found
        found = [one for one in descendants(pid) if one not in frozen]
    return frozen


def runs(pid):
    """Whether the process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def send(pid, signo):
    """Signal a process that may be gone already."""
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass
