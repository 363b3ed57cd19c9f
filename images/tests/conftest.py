"""What the tests share: where things are, and files rendered for a machine."""

import functools
import os
import subprocess
from pathlib import Path

import pytest

IMAGES = Path(__file__).resolve().parent.parent
ROOT = IMAGES.parent
DIST = ROOT / "services" / "dist"
MACHINES = sorted(path.stem for path in (IMAGES / "machines").glob("*.env"))


def read_env(path):
    """KEY=VALUE lines, as sh reads them."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def machine_values(machine):
    """What holds for a machine: layout.env, and over it the machine's own file."""
    return read_env(IMAGES / "layout.env") | read_env(IMAGES / "machines" / f"{machine}.env")


@pytest.fixture(scope="session")
def layout():
    return read_env(IMAGES / "layout.env")


@pytest.fixture(scope="session")
def toolbox():
    return Path(os.environ["MICROKERNEL_TOOLBOX"])


@pytest.fixture(scope="session")
def in_toolbox():
    """Runs a command in the toolbox, with some folders visible."""

    def run(folders, *command, **options):
        return subprocess.run(
            [IMAGES / "build" / "toolbox", "run", *folders, "--", *command],
            check=False, capture_output=True, text=True, timeout=300, **options,
        )

    return run


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """The folder of a machine's rendered files; the tests only read them."""

    @functools.cache
    def render(machine):
        folder = tmp_path_factory.mktemp(machine)
        subprocess.run([IMAGES / "build" / "render", machine, folder], check=True, timeout=30)
        return folder

    return render
