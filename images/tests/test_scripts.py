"""Scripts of services/dist, run as they are installed, on folders of the test's."""

import subprocess

import pytest
from conftest import DIST

SCRIPTS = DIST / "usr/lib/microkernel"


def run(name, *arguments, **variables):
    return subprocess.run([SCRIPTS / name, *arguments], env={"PATH": "/usr/bin:/bin"} | variables, capture_output=True, text=True,
                          timeout=60, check=False)


@pytest.fixture
def data(tmp_path):
    """A data partition that was used, with what a power cut may have left of an earlier reset."""
    for name in ("microkernel/state/identity/device.key", "microkernel/.hidden", "rauc/slot.status", "timesync/clock", ".top"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "factory-reset").touch()
    return tmp_path


def test_a_factory_reset_forgets_everything_and_its_request_last(data):
    done = run("factory-reset", data)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in data.iterdir()] == ["lost+found"]


def test_a_reset_that_fails_is_asked_for_again_at_the_next_boot(data):
    done = run("factory-reset", data, PATH="/nowhere")
    assert done.returncode != 0
    assert (data / "factory-reset").exists()


@pytest.fixture
def journal(tmp_path):
    """A folder with a journalctl of which one call gives one line: the journal of this machine is none of the test's business."""
    (tmp_path / "journalctl").write_text('#!/bin/sh\necho "a warning"\n')
    (tmp_path / "journalctl").chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def test_warnings_are_appended(tmp_path, journal):
    for _ in range(2):
        done = run("keep-log", tmp_path, PATH=journal)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "warnings").read_text() == "a warning\n" * 2


def test_the_kept_log_is_bounded(tmp_path, journal):
    (tmp_path / "warnings.old").write_text("oldest\n")
    (tmp_path / "warnings").write_text("old\n" * 300_000)
    assert run("keep-log", tmp_path, PATH=journal).returncode == 0
    assert (tmp_path / "warnings").read_text() == "a warning\n"
    assert (tmp_path / "warnings.old").read_text().startswith("old\n"), "and the oldest are gone"
