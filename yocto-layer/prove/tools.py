"""Where things are, and how commands run: with a log, a deadline, and no more noise than needed."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from report import Failed, NotRun

LAYER = Path(__file__).resolve().parent.parent
ROOT = LAYER.parent
IS_ROOT = os.geteuid() == 0


def work_folder():
    """Where everything goes that is made; readable by the user that BitBake runs as."""
    default = Path("/var/tmp/microkernel-yocto") if IS_ROOT else Path.home() / ".cache/microkernel/yocto"
    folder = Path(os.environ.get("MICROKERNEL_YOCTO", default)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment():
    """The Python environment with the pinned tools, made on first use; its bin folder."""
    requirements = LAYER / "requirements.txt"
    folder = work_folder() / f"tools-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        # The system's own: one below a home folder could not be run by the user that BitBake runs as.
        python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
        run([python, "-m", "venv", "--clear", folder], log="tools")
        run([folder / "bin/pip", "install", "--quiet", "--requirement", requirements], log="tools")
        (folder / "complete").touch()
    return folder / "bin"


def run(command, log, deadline_s=600, **options):
    """Runs a command into WORK/logs/LOG.log and returns what it said. Its last lines are the failure's text."""
    path = work_folder() / "logs" / f"{log}.log"
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        try:
            done = subprocess.run([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                  timeout=deadline_s, check=False, **options)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {deadline_s} s; see {path}") from None
    said = path.read_text(errors="replace")
    if done.returncode != 0:
        errors = [line for line in said.splitlines() if "ERROR" in line or ":error:" in line] or said.splitlines()
        raise Failed(f"{' / '.join(errors[-3:])}; see {path}")
    return said


def pytest(*arguments, log, deadline_s=1200, **variables):
    """Runs tests of images/tests and returns pytest's last line."""
    said = run([environment() / "pytest", "-q", "-p", "no:cacheprovider", *arguments], log=log, deadline_s=deadline_s, cwd=ROOT,
               env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | {name: str(value) for name, value in variables.items()})
    return said.strip().splitlines()[-1]


def need(*programs, package):
    """Says which package has what is missing."""
    for program in programs:
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            raise NotRun(f"{program} is missing: apt-get install {package}")
