"""The places where each story is told: podman, and a real Kubernetes where there is one."""

import functools

import pytest

from support import containers, readme_flow, samples
from support.traffic import marker

PLACES = {"podman": (containers.PodmanMachine, containers.podman_missing),
          "k8s": (containers.KubernetesMachine, containers.k8s_missing)}


class Stage:
    """Two servers that containers can reach, and machines between them."""

    def __init__(self, place, workshop):
        self.place, self.workshop, self.made = place, workshop, 0
        self.factory = PLACES[place][0]

    def server(self, name, **options):
        reachable = {"address": self.factory.host_address(), "listen": "0.0.0.0"}
        return self.workshop.server(name, **(options or reachable))

    def pair(self, sample, dest_options=None):
        source, dest = self.server("source"), self.server("dest", **(dest_options or {}))
        source.create_database(sample, sample)
        dest.create_database(sample)
        return source, dest

    @functools.cached_property
    def only_machine(self):
        """One machine without databases, for tests that share it."""
        return self.machine().wait_ready()

    def new_machine(self, *servers):
        """One that has not been started yet."""
        made = self.factory(self.workshop.folder, self.made)
        self.made += 1
        self.workshop.things.append(made)
        made.write_pgpass(*servers)
        return made

    def machine(self, *servers):
        return self.new_machine(*servers).start()

    def replicating(self, sample=None, dest_options=None):
        """(machine, source, dest, dbname): the README flow done, and a first row has arrived."""
        sample = sample or samples.best()
        source, dest = self.pair(sample, dest_options)
        machine = self.machine(source, dest).wait_ready()
        readme_flow.run(machine, source, dest, sample)
        marker(source, dest, sample, sample, seconds=60)
        return machine, source, dest, sample


def _stage(place, workshop):
    missing = PLACES[place][1]()
    if missing:
        pytest.skip(missing)
    return Stage(place, workshop)


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in PLACES])
def stage(request, workshop):
    """For stories that are told in both places."""
    return _stage(request.param, workshop)


@pytest.fixture
def podman_stage(workshop):
    return _stage("podman", workshop)


@pytest.fixture(scope="module")
def shared_podman_stage(shared_workshop):
    """One for all tests of a file that change what replicates, and heal it."""
    return _stage("podman", shared_workshop)


@pytest.fixture(scope="module")
def shared_k8s_stage(shared_workshop):
    return _stage("k8s", shared_workshop)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name))
                                        for name in PLACES])
def shared_stage(request, shared_workshop):
    """One for all tests of a file, with its only_machine."""
    return _stage(request.param, shared_workshop)
