"""A machine whose phase workers do as they are told (tests/integration/fake_phases.c)."""

import json
import os
import shutil
import stat

from .machine import Machine
from .users import give
from .waiting import wait_for

BUILD = os.environ.get("BM_BUILD") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build")
PROGRAM = os.path.join(BUILD, "tests", "integration", "fake_phases")
PHASES = ["preflight", "schema", "capture", "copy", "index", "replicate"]

DONE = '{"v":1,"event":"done","evidence":{}}'


def failed(kind, message, hint=""):
    """The lines of a worker that ends with this failure."""
    return json.dumps({"v": 1, "event": "failed", "class": kind, "message": message,
                       "hint": hint}) + "\nexit 1"


def progress(done, total, unit="bytes", **more):
    return json.dumps({"v": 1, "event": "progress", "done": done, "total": total, "unit": unit,
                       "text": "copying public.film", **more})


def yaml(*names, extra="", host="192.0.2.1"):
    """A machine.yaml with these migrations; their databases are never contacted."""
    text = "version: 1\nmigrations:\n"
    for name in names:
        text += (f"  - name: {name}\n"
                 f"    source: {{host: {host}, dbname: {name}, user: u}}\n"
                 f"    destination: {{host: 192.0.2.2, dbname: {name}, user: u}}\n{extra}")
    return text


class Stage:
    """A machine, and the folder with what its phase workers play."""

    def __init__(self, shop):
        self.folder = os.path.join(shop.folder, "fake")
        os.makedirs(self.folder)
        give(self.folder)
        binary = shutil.copy(PROGRAM, os.path.join(shop.folder, "fake_phases"))
        os.chmod(binary, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        self.machine = Machine(shop.folder, binary, env={"FAKE_PHASES": self.folder}, installed=True)
        shop.things.append(self.machine)

    def play(self, name, phase, *lines):
        path = os.path.join(self.folder, f"{name}.{phase}")
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def touch(self, name):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8"):
            pass

    def requests(self, name="app"):
        """The phases whose workers were started, in order."""
        return [request["phase"] for request in self.full_requests() if request["migration"]["name"] == name]

    def full_requests(self):
        path = os.path.join(self.folder, "requests")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def view(self, name="app"):
        found = [m for m in self.machine.status_json()["migrations"] if m["name"] == name]
        return found[0] if found else None

    def wait(self, condition, what, name="app", seconds=60):
        """The migration's status as soon as `condition` holds for it."""
        def reached():
            try:
                view = self.view(name)
            except AssertionError:
                return None  # the machine is starting
            return view if view and condition(view) else None
        return wait_for(reached, seconds, f"migration {name} {what}")

    def wait_at(self, phase, status, name="app", seconds=60):
        return self.wait(lambda v: v["phase"] == phase and v["status"] == status,
                         f"is {status} in {phase}", name, seconds)

    def journalled_definition(self):
        return self.machine.control_sql("SELECT definition FROM machine.migration")[0]

    def wait_live(self, name="app", seconds=60):
        return self.wait(lambda v: v["status"] == "live", "replicates", name, seconds)

    def journal(self, columns, where="true"):
        return self.machine.control_sql(
            f"SELECT {columns} FROM machine.phase WHERE {where} ORDER BY started")
