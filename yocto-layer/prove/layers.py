"""The layers' repositories and BitBake in them, by kas."""

import functools
import os
import re
import shlex
import subprocess

from report import Failed, NotRun
from tools import IS_ROOT, LAYER, ROOT, environment, need, run, work_folder

# BitBake refuses to run as root. This user owns nothing, and there is one everywhere.
NOBODY = 65534
OFFLINE = LAYER / "kas/offline.yml"


def fragments():
    """Machine by machine, the kas file that names it."""
    files = [ROOT / "kas.yml", *sorted((LAYER / "kas").glob("*.yml"))]
    named = {path: re.search(r"^machine: (\S+)$", path.read_text(), re.M) for path in files}
    found = {match.group(1): path for path, match in named.items() if match}
    wanted = os.environ.get("MACHINES", "").split() or found
    return {machine: found[machine] for machine in wanted}


def kas_environment():
    """What kas and BitBake are told; BitBake lets nothing else through."""
    work = work_folder() / "work"
    return {
        "HOME": str(work / "home"), "PATH": f"{environment()}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8",
        "KAS_WORK_DIR": str(work), "KAS_BUILD_DIR": str(work / "build"), "BB_SERVER_TIMEOUT": "60",
    } | {name: os.environ[name] for name in ("KAS_PREMIRRORS", "BB_NUMBER_THREADS", "http_proxy", "https_proxy") if name in os.environ}


@functools.cache
def checkout():
    """All repositories at their pinned commits, below WORK/work. Raises NotRun where they can't be had."""
    need("gawk", "chrpath", "diffstat", "cpio", "lz4c", "makeinfo", "git", package="gawk chrpath diffstat cpio lz4 texinfo git")
    locales = subprocess.run(["locale", "-a"], capture_output=True, text=True, timeout=30, check=False).stdout
    if "en_US.utf8" not in locales:
        raise NotRun("BitBake needs the locale en_US.UTF-8: locale-gen en_US.UTF-8")
    work = work_folder() / "work"
    (work / "home").mkdir(parents=True, exist_ok=True)
    (work / "build").mkdir(exist_ok=True)
    if IS_ROOT:
        # Git refuses repositories of another user, so they change hands as a whole.
        run(["chown", "-R", "0:0", work], log="owner")
    try:
        run([environment() / "kas", "checkout", f"{ROOT / 'kas.yml'}:{OFFLINE}"], log="checkout", env=kas_environment(), cwd=ROOT)
    except Failed as failure:
        raise NotRun("the layers' repositories are out of reach; KAS_PREMIRRORS can name mirrors (prove --help says how): "
                     f"{failure}") from None
    if IS_ROOT:
        run(["chown", "-R", f"{NOBODY}:{NOBODY}", work], log="owner")
    return work


def shell(kas_file, command, log, deadline_s=3600, overlays=(), prefix=()):
    """Runs a command where BitBake is set up for a machine."""
    checkout()
    files = ":".join(str(path) for path in (kas_file, OFFLINE, *overlays))
    words = [environment() / "kas", "shell", "--keep-config-unchanged", files, "-c", command]
    if IS_ROOT:
        words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words]
    return run([*prefix, *words], log=log, deadline_s=deadline_s, env=kas_environment(), cwd=ROOT)


def dump(kas_file):
    """What kas makes of a file, all references resolved."""
    checkout()
    words = [environment() / "kas", "dump", "--resolve-refs", f"{kas_file}:{OFFLINE}"]
    if IS_ROOT:
        words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words]
    return run(words, log=f"dump-{kas_file.stem}", env=kas_environment(), cwd=ROOT)


def quoted(*words):
    """One command of a shell."""
    return shlex.join(str(word) for word in words)
