"""Declared migrations with real servers: their machine.yaml, and what the status says of them."""

from .waiting import wait_for


# Where a test counts what was read: nothing is compared in the background.
BY_HAND = "    verify: {continuous: false}\n"


def endpoint(server, dbname):
    return (f"{{host: {server.address}, port: {server.port}, dbname: {dbname}, "
            f"user: {server.user}}}")


def yaml(source, dest, dbname, name="app", extra=""):
    return (f"version: 1\nmigrations:\n  - name: {name}\n"
            f"    source: {endpoint(source, dbname)}\n"
            f"    destination: {endpoint(dest, dbname)}\n{extra}")


def view(machine, name="app"):
    try:
        found = [m for m in machine.status_json()["migrations"] if m["name"] == name]
    except AssertionError:
        return None  # the machine is starting
    return found[0] if found else None


def wait_view(machine, condition, what, seconds=120, name="app"):
    def reached():
        now = view(machine, name)
        return now if now and condition(now) else None
    return wait_for(reached, seconds, what)


def wait_live(machine, seconds=120, name="app"):
    return wait_view(machine, lambda v: v["status"] == "live", f"{name} replicates", seconds, name)


def reconciled(machine, condition=lambda t: True, what="reconciles", seconds=60, member="paused"):
    """The member `reconcile` of migration app, once it has `member` and `condition` holds for it."""
    return wait_view(machine, lambda v: v["reconcile"] and member in v["reconcile"] and condition(v["reconcile"]),
                     f"the migration {what}", seconds)["reconcile"]


def replicating(workshop, source, dest, dbname, extra="", machine=None):
    """A machine that was started with this migration, once it replicates."""
    machine = machine or workshop.machine(installed=True)
    machine.write_pgpass(source, dest)
    machine.write_config(yaml(source, dest, dbname, extra=extra))
    machine.start()
    wait_live(machine)
    return machine
