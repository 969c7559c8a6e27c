"""The unprivileged user under which servers and machines run when the tests run as root."""

import fcntl
import functools
import os
import pwd
import subprocess

NAME = "bm-test"


@functools.lru_cache(maxsize=None)
def unprivileged():
    """The passwd entry to run as: ourselves, or bm-test (made when missing) for root."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    # One test worker at a time: of two useradds at once one takes the other's line away.
    with open("/run/lock/bm-test-user", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return pwd.getpwnam(NAME)
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/bin/bash",
                            NAME], check=True, capture_output=True)
            return pwd.getpwnam(NAME)


def as_user(argv, pdeathsig=None):
    """`argv` with a prefix that drops root for good; the pid stays the program's own."""
    prefix = []
    if os.getuid() == 0:
        user = unprivileged()
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if pdeathsig:
        prefix = (prefix or ["setpriv"]) + ["--pdeathsig", pdeathsig]
    return prefix + [str(word) for word in argv]


def give(path):
    """Make the unprivileged user the owner of `path`."""
    if os.getuid() == 0:
        user = unprivileged()
        os.chown(path, user.pw_uid, user.pw_gid)
