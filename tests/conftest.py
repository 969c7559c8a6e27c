"""What all tests share: folders, servers, machines, and manners on failure.

Markers: `podman` and `k8s` tests need those programs, `full` ones run only with --full.
With CI=true in the environment a skip is a failure: what CI does not run, nobody runs.
"""

import os
import random
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

pytest.register_assert_rewrite("support.stories")

# pylint: disable=wrong-import-position
from support import readme_flow, samples, templates  # noqa: E402
from support.machine import Machine  # noqa: E402
from support.servers import Server  # noqa: E402
from support.traffic import marker  # noqa: E402
from support.users import give, unprivileged  # noqa: E402

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="all rounds of the long stories")
    parser.addoption("--seed", type=int, help="seed of every random choice")


def pytest_configure(config):
    # The time limit of scripts/check: end as by Ctrl-C, so that failures are told, servers removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for line in ("podman: needs podman and a base image",
                 "k8s: needs a Kubernetes cluster (KUBECONFIG)",
                 "full: only with --full"):
        config.addinivalue_line("markers", line)
    if config.option.seed is None:
        config.option.seed = int(os.environ.get("BM_SEED") or random.SystemRandom().randrange(10**6))
    os.environ["BM_SEED"] = str(config.option.seed)  # pytest-xdist's workers inherit it
    random.seed(config.option.seed)


def pytest_report_header(config):
    return f"random seed: {config.option.seed} (repeat with --seed)"


def pytest_collection_modifyitems(config, items):
    if not config.option.full:
        chosen = [item for item in items if item.get_closest_marker("full") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    items.sort(key=lambda item: os.path.basename(item.location[0]) not in _FIRST)  # the others keep their order


# Long files of the end of the alphabet: pytest-xdist hands out files in this order, and one worker alone
# with the last long one is a stage that waits for it.
_FIRST = ("test_volume.py", "test_verify_live.py", "test_verify_proofs.py", "test_units.py", "test_truncate.py")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI=true: {report.longrepr}"
    if report.failed:
        for node in item.listchain():  # the fixture's node: the test, or its file
            for thing in node.stash.get(_EXPLAIN, []):
                report.sections.append((thing.name, thing.log_tail()))


def pytest_terminal_summary(terminalreporter):
    """The names of what failed, for scripts/check, which runs it once more."""
    path = os.environ.get("BM_FAILED_TESTS")
    failed = [report.nodeid for kind in ("failed", "error")
              for report in terminalreporter.stats.get(kind, [])]
    if path and failed:
        with open(path, "a", encoding="utf-8") as out:
            out.writelines(f"{name}\n" for name in failed)


_EXPLAIN = pytest.StashKey()


@pytest.fixture(scope="session")
def rounds(request):
    """How often a story is told: rounds(few, many)."""
    return lambda few, many: many if request.config.option.full else few


@pytest.fixture(scope="session")
def binary():
    """The program under test, copied to where the unprivileged user can read it."""
    path = os.environ.get("BM_BINARY") or os.path.join(REPOSITORY, "build", "bucardo-machine")
    if not os.path.exists(path):
        pytest.fail(f"'{path}' is not there: run make")
    unprivileged()
    folder = tempfile.mkdtemp(prefix="bm-bin-", dir="/tmp")
    os.chmod(folder, 0o755)
    copy = shutil.copy(path, os.path.join(folder, "bucardo-machine"))
    os.chmod(copy, 0o755)
    yield copy
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _templates():
    """A folder for what is made once and copied."""
    templates.FOLDER = _new_folder()
    give(templates.FOLDER)
    yield
    shutil.rmtree(templates.FOLDER, ignore_errors=True)


def _new_folder():
    # Short: a unix socket's path has 107 bytes.
    folder = tempfile.mkdtemp(prefix="bm-", dir="/tmp")
    os.chmod(folder, 0o755)
    return folder


def _workshop(request, binary_path):
    folder = _new_folder()
    shop = Workshop(folder, binary_path)
    request.node.stash[_EXPLAIN] = shop.things
    return shop


class Workshop:
    """Makes servers and machines in one folder and removes them all at the end."""

    def __init__(self, folder, binary_path):
        self.folder, self.binary, self.things = folder, binary_path, []

    def server(self, name, **options):
        made = Server(name, self.folder, **options)
        self.things.append(made)
        return made.start()

    def machine(self, **options):
        made = Machine(self.folder, self.binary, **options)
        self.things.append(made)
        return made

    def pair(self, sample=None, dest_options=None, source_options=None):
        """(source with the sample loaded, empty destination, dbname)."""
        sample = sample or samples.best()
        source = self.server("source", **(source_options or {}))
        dest = self.server("dest", **(dest_options or {}))
        source.create_database(sample, sample)
        dest.create_database(sample)
        return source, dest, sample

    def replicating(self, sample=None, mode="plain", config=None, **pair_options):
        """Everything up: (machine, source, dest, dbname), the README flow done and proven."""
        source, dest, dbname = self.pair(sample, **pair_options)
        machine = self.machine(mode=mode, installed=True)
        machine.write_pgpass(source, dest)
        if config:
            machine.write_config(config)
        machine.start()
        machine.wait_ready(60)
        readme_flow.run(machine, source, dest, dbname)
        marker(source, dest, dbname, dbname, seconds=60)
        return machine, source, dest, dbname

    def close(self):
        for thing in reversed(self.things):
            thing.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def workshop(request, binary):
    """Servers and machines for one test."""
    shop = _workshop(request, binary)
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def shared_workshop(request, binary):
    """Servers and machines for all tests of a file."""
    shop = _workshop(request, binary)
    yield shop
    shop.close()
