"""What tests need again and again, made once: a PostgreSQL cluster, a machine's volume after its first start.

    copy("cluster", make, target)   # make(folder) runs the first time; target is a copy of that folder
    new_identity(data)              # a copied cluster is a database of its own: its system identifier

The folder for them is the session's (tests/conftest.py); without one everything is made anew.
"""

import os
import random
import subprocess
import time

from .users import as_user

FOLDER = None


def copy(name, make, target):
    """Make `target` as make(target) would, by a copy of the first one; says whether it is a copy."""
    if FOLDER is None:
        make(target)
        return False
    kept = os.path.join(FOLDER, name)
    if not os.path.exists(kept):
        make(kept)
    subprocess.run(["cp", "-a", "--reflink=auto", kept, target], check=True, timeout=120)
    return True


def new_identity(data, programs):
    """Another system identifier, in the form that initdb gives it: seconds, and chance.

    The control file's first eight bytes are it. Its checksum is wrong then, which pg_resetwal corrects;
    the log's first page bears it too, and is written anew.
    """
    with open(os.path.join(data, "global", "pg_control"), "r+b") as file:
        chance = random.SystemRandom().getrandbits(32)
        file.write((int(time.time()) << 32 | chance).to_bytes(8, "little"))
    wal = os.path.join(data, "pg_wal")
    for segment in os.listdir(wal):
        path = os.path.join(wal, segment)
        if os.path.isfile(path):
            os.unlink(path)
    done = subprocess.run(as_user([os.path.join(programs, "pg_resetwal"), "-f", "-D", data]),
                          cwd=data, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"pg_resetwal failed: {done.stderr}")
