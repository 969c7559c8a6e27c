"""adopt-config of the image: a provided machine.yaml arrives once; the volume stays the truth."""

import os
import subprocess

import pytest

SCRIPT = os.path.join(os.path.dirname(__file__), "../../image/usr/local/bin/adopt-config")


class Volume:
    def __init__(self, folder):
        self.folder, self.provided = folder / "volume", folder / "provided.yaml"
        self.folder.mkdir()

    def adopt(self):
        done = subprocess.run(["bash", SCRIPT, self.provided], capture_output=True, text=True,
                              check=False, timeout=20,
                              env={**os.environ, "BUCARDO_MACHINE_VOLUME": str(self.folder)})
        assert done.returncode == 0, "a pod must start whatever happens"
        return done.stderr

    def read(self, name="machine.yaml"):
        return (self.folder / name).read_text()


@pytest.fixture
def volume(tmp_path):
    return Volume(tmp_path)


def test_a_provided_file_is_adopted_on_an_empty_volume(volume):
    volume.provided.write_text("version: 1\n")
    volume.adopt()
    assert volume.read() == "version: 1\n"


def test_an_edit_on_the_volume_survives_restarts(volume):
    volume.provided.write_text("version: 1\n")
    volume.adopt()
    (volume.folder / "machine.yaml").write_text("edited\n")
    volume.provided.write_text("version: 1\n")  # written anew, as for a new pod
    assert "adopted before" in volume.adopt()
    assert volume.read() == "edited\n"


def test_a_changed_file_replaces_an_edit_and_keeps_it_beside(volume):
    volume.provided.write_text("one\n")
    volume.adopt()
    (volume.folder / "machine.yaml").write_text("edited\n")
    volume.provided.write_text("two\n")
    volume.adopt()
    assert volume.read() == "two\n"
    assert volume.read("machine.yaml.before") == "edited\n"


def test_a_missing_file_changes_nothing_and_says_so(volume):
    (volume.folder / "machine.yaml").write_text("mine\n")
    assert "stays as it is" in volume.adopt()
    assert volume.read() == "mine\n"


def test_a_volume_that_cannot_be_written_is_named(volume):
    volume.provided.write_text("one\n")
    volume.folder.rmdir()
    assert "fix the volume" in volume.adopt()
