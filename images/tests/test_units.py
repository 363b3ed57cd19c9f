"""The units, judged by the systemd that runs them (the toolbox's is the device's)."""

import json
import shutil
import subprocess

import pytest
from conftest import DIST, ROOT

UNITS = sorted(path.name for path in (DIST / "usr/lib/systemd/system").iterdir() if path.is_file())
SANDBOXED = [name for name in UNITS if name.startswith("microkernel-") and name.endswith(".service")]
DAEMONS = ["sensor", "wasm", "ml", "uplink", "update", "health"]


@pytest.fixture(scope="module")
def system(tmp_path_factory, toolbox):
    """The toolbox with services/dist installed over it, for chroot. Stand-ins take the place of the programs: what they do
    is not judged here, but that ExecStart= names one is."""
    folder = tmp_path_factory.mktemp("system")
    upper, work, merged, bindir = (folder / name for name in ("upper", "work", "merged", "bin"))
    for path in (upper, work, merged, bindir):
        path.mkdir()
    for daemon in DAEMONS:
        shutil.copy("/bin/true", bindir / f"microkernel-{daemon}")
    subprocess.run(["make", "-s", "-f", "services/dist/install.mk", "install", f"DESTDIR={upper}", f"BINDIR={bindir}",
                    f"DAEMONS={' '.join(DAEMONS)}"], cwd=ROOT, check=True, timeout=60)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={toolbox},upperdir={upper},workdir={work}", merged],
                   check=True, timeout=30)
    yield merged
    subprocess.run(["umount", merged], check=True, timeout=30)


def analyze(system, *arguments):
    return subprocess.run(["chroot", system, "systemd-analyze", *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_the_units_are_what_systemd_understands(system):
    done = analyze(system, "verify", "--man=no", *(f"/usr/lib/systemd/system/{name}" for name in UNITS))
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "microkernel" in line or "device-" in line or "data." in line]
    assert done.returncode == 0 and not ours, done.stdout + done.stderr


@pytest.mark.parametrize("unit", SANDBOXED)
def test_the_exposure_of_a_daemon_is_at_most_3(system, unit):
    done = analyze(system, "security", "--offline=yes", "--threshold=30", "--no-pager", "--json=short",
                   f"/usr/lib/systemd/system/{unit}")
    worst = sorted(json.loads(done.stdout or "[]"), key=lambda one: -float(one.get("exposure") or 0))[:8]
    assert done.returncode == 0, "\n".join(f"{one.get('exposure')} {one['name']}" for one in worst) + done.stderr


def test_users_are_made(system):
    done = subprocess.run(["chroot", system, "systemd-sysusers"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    passwd = (system / "etc/passwd").read_text()
    for daemon in DAEMONS:
        assert f"microkernel-{daemon}:x:4" in passwd


def test_presets_enable_the_services(system):
    subprocess.run(["chroot", system, "systemctl", "--root=/", "preset-all", "--quiet"], check=True, timeout=60, capture_output=True)
    for unit in ("microkernel.target.wants/microkernel-sensor.service", "boot-complete.target.requires/microkernel-health.service",
                 "multi-user.target.wants/device-confirm.service", "local-fs.target.requires/data.mount"):
        assert (system / "etc/systemd/system" / unit).is_symlink(), unit
