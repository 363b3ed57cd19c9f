"""The image, booted: it comes up whole, is updated, and returns from an update that is no good.

Tests run in this order on one device. MICROKERNEL_IMAGE is the folder that make image and make bundle filled.
"""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import IMAGES, ROOT
from device import Device
from range_server import serve

IMAGE = Path(os.environ.get("MICROKERNEL_IMAGE", ROOT / "target/image/virtual"))
VERSION = "9.0.1"


@pytest.fixture(scope="module")
def device(record_measurement):
    with open(IMAGE / "console.log", "w", encoding="utf-8") as log:
        device = Device(log)
        try:
            device.power_on()
            record_measurement("power-on to prompt", f"{device.boot_time_s:.0f} s after the boot script")
            yield device
        finally:
            device.remove()


@pytest.fixture(scope="module")
def record_measurement():
    """Printed at the end: what is measured is worth more than what is remembered."""
    measured = {}
    yield measured.__setitem__
    print("\n" + "\n".join(f"measured: {name}: {value}" for name, value in measured.items()))


@pytest.fixture(scope="module")
def server():
    """Bundles, as the device reaches them."""
    folder = IMAGE / "served"
    folder.mkdir(exist_ok=True)
    with serve(folder) as server:
        server.url = f"http://10.0.2.2:{server.server_address[1]}"
        yield server
    shutil.rmtree(folder)


def bundle(in_toolbox, server, name, rootfs, version, signer=None):
    """Signs a root filesystem like images/build/bundle does; another signer by choice."""
    pki = Path(subprocess.run([IMAGES / "pki/make"], check=True, capture_output=True, text=True, timeout=60).stdout.strip())
    keyring = f"{signer}.pem" if signer else pki / "ca.pem"
    signer = signer or pki / "signer"
    content = server.folder / f"{name}.content"
    content.mkdir()
    os.link(rootfs, content / "rootfs.ext4")
    (content / "manifest.raucm").write_text(
        f"[update]\ncompatible=microkernel-virtual\nversion={version}\n[bundle]\nformat=verity\n"
        "[image.rootfs]\nfilename=rootfs.ext4\nadaptive=block-hash-index\n")
    done = in_toolbox([IMAGE, pki, signer.parent], "rauc", f"--conf={IMAGE}/parts/etc/rauc/system.conf", "bundle",
                      f"--keyring={keyring}", f"--cert={signer}.pem", f"--key={signer}.key",
                      "--mksquashfs-args=-comp zstd -Xcompression-level 3", content, server.folder / f"{name}.raucb")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(content)
    return f"{server.url}/{name}.raucb"


def slot_status(device):
    status = json.loads(device.check("rauc status --output-format=json 2>/dev/null").splitlines()[-1])
    slots = {slot["bootname"]: slot for entry in status["slots"] for slot in entry.values() if slot.get("bootname")}
    return status, slots


def confirmed(device):
    device.wait_until("systemctl is-active device-confirm.service", 300)


def test_everything_is_up_and_nothing_has_failed(device):
    confirmed(device)
    assert device.check("systemctl --failed --no-legend --plain") == ""
    assert device.run("systemctl is-system-running --wait", 300)[1] == "running"
    for unit in ("boot-complete.target", "microkernel-sensor.service", "dbus-broker.service"):
        assert device.check(f"systemctl is-active {unit}") == "active"


def test_the_health_check_said_why(device):
    verdict = json.loads(device.check("cat /var/lib/microkernel/health/verdict-A.json"))
    assert verdict["healthy"] and verdict["slot"] == "A"
    assert {check["name"] for check in verdict["checks"]} == {"storage", "daemons", "pipeline"}


def test_the_slot_was_marked_good(device):
    _, slots = slot_status(device)
    assert slots["A"]["state"] == "booted" and slots["A"]["boot_status"] == "good"
    assert device.check("fw_printenv -n BOOT_A_LEFT") == "3"


def test_the_root_is_read_only_and_data_fills_the_disk(device):
    assert device.run("touch /usr/x")[0] != 0
    assert device.check("findmnt -no FSTYPE /var") == "tmpfs"
    assert int(device.check("df --output=size -BM /data | tail -1").rstrip("M")) > 1000


def test_readings_flow(device):
    newest = "busctl get-property io.microkernel.Sensor1 /io/microkernel/Sensor1 io.microkernel.Sensor1.Feed NewestSeq"
    before = int(device.check(newest).split()[1])
    device.wait_until(f"test $({newest} | cut -d' ' -f2) -gt {before}", 60)


def test_only_the_agent_may_install(device):
    call = "busctl call de.pengutronix.rauc / de.pengutronix.rauc.Installer InstallBundle 'sa{sv}' /none 0"
    code, output = device.run(f"setpriv --reuid=microkernel-sensor --clear-groups {call}")
    assert code != 0 and "denied" in output.lower()


def test_the_services_stay_within_memory(device, record_measurement):
    current = device.check(
        "for unit in $(systemctl list-units --no-legend --plain --state=running 'microkernel-*.service' | cut -d' ' -f1);"
        " do systemctl show -P MemoryCurrent $unit; done")
    total_mib = sum(int(line) for line in current.splitlines()) / (1 << 20)
    record_measurement("memory of our services at rest", f"{total_mib:.1f} MiB")
    assert 0 < total_mib < 96


def test_the_identifier_survives_a_reboot(device):
    before = device.check("cat /etc/machine-id")
    boot = device.check("cat /proc/sys/kernel/random/boot_id")
    assert device.reboot() == "A"
    assert device.check("cat /proc/sys/kernel/random/boot_id") != boot
    assert device.check("cat /etc/machine-id") == before
    assert re.fullmatch("[0-9a-f]{32}", before)


def test_a_bundle_signed_by_a_stranger_is_refused(device, server, in_toolbox, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", tmp_path / "signer.key", "-out", tmp_path / "signer.pem", "-subj", "/CN=stranger",
                    "-addext", "extendedKeyUsage=codeSigning"], check=True, capture_output=True, timeout=60)
    small = server.folder / "small.ext4"
    # Random: a bundle of nothing but zeros is too small for RAUC to sign.
    small.write_bytes(os.urandom(1 << 20))
    url = bundle(in_toolbox, server, "stranger", small, VERSION, tmp_path / "signer")
    code, output = device.run(f"rauc install {url} 2>&1", 300)
    assert code != 0 and "signature verification failed" in output, output


def test_an_update_is_streamed_installed_and_confirmed(device, server, record_measurement):
    confirmed(device)
    name = f"microkernel-virtual-{VERSION}.raucb"
    shutil.copy(IMAGE / name, server.folder / name)
    start = time.monotonic()
    device.check(f"rauc install {server.url}/{name} 2>&1", 1800)
    record_measurement("installation of the update", f"{time.monotonic() - start:.0f} s, {server.sent >> 20} MiB "
                       f"downloaded of {(IMAGE / name).stat().st_size >> 20} MiB")
    assert device.check("fw_printenv -n BOOT_ORDER") == "B A"
    assert device.reboot() == "B"
    record_measurement("boot of the updated slot", f"{device.boot_time_s:.0f} s")
    confirmed(device)
    assert f"IMAGE_VERSION={VERSION}" in device.check("cat /etc/os-release").splitlines()
    assert device.check("fw_printenv -n BOOT_B_LEFT") == "3"


def test_an_update_without_init_is_left_after_three_attempts(device, server, in_toolbox, record_measurement):
    broken = server.folder / "broken.ext4"
    shutil.copy(IMAGE / "rootfs.ext4", broken)
    subprocess.run(["debugfs", "-w", "-R", "rm /usr/lib/microkernel/preinit", broken], check=True, capture_output=True, timeout=60)
    device.check(f"rauc install {bundle(in_toolbox, server, 'broken', broken, '9.0.2')} 2>&1", 1800)
    start = time.monotonic()
    device.console.sendline("systemctl reboot")
    assert device.booted_slots_until_prompt(1800) == ["A", "A", "A", "B"]
    record_measurement("return from a bad update", f"{time.monotonic() - start:.0f} s")
    confirmed(device)
    _, slots = slot_status(device)
    assert slots["A"]["boot_status"] == "bad"
    assert device.check("fw_printenv -n BOOT_ORDER") == "B", "the bad slot is out until something else is installed"


def test_an_update_that_fails_its_health_check_is_left(device, server, in_toolbox, record_measurement):
    unfit = server.folder / "unfit.ext4"
    shutil.copy(IMAGE / "rootfs.ext4", unfit)
    subprocess.run(["debugfs", "-w", "-R", "rm /usr/bin/microkernel-sensor", unfit], check=True, capture_output=True, timeout=60)
    # Another build, as far as the device can tell.
    subprocess.run(["debugfs", "-w", "-R", "rm /usr/lib/os-release", unfit], check=True, capture_output=True, timeout=60)
    device.check(f"rauc install {bundle(in_toolbox, server, 'unfit', unfit, '9.0.3')} 2>&1", 1800)
    start = time.monotonic()
    device.console.sendline("systemctl reboot")
    slots = []
    # It comes up to a prompt each time, and reboots when the check has failed.
    while not slots or slots[-1] != "B":
        slots += device.booted_slots_until_prompt(1200)
        assert len(slots) <= 4, slots
    assert slots == ["A", "A", "A", "B"]
    record_measurement("return from an unfit update", f"{time.monotonic() - start:.0f} s")
    verdict = json.loads(device.check("cat /var/lib/microkernel/health/verdict-A.json"))
    failed = {check["name"]: check["result"] for check in verdict["checks"] if "Err" in check["result"]}
    assert "daemons" in failed and "microkernel-sensor.service" in failed["daemons"]["Err"]
