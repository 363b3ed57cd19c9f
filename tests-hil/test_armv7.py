"""The device's programs are built for 32-bit Raspberry Pis too, and run.

Needs neither labgrid nor the other fixtures here: pytest --noconftest tests-hil/test_armv7.py
"""

import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parent.parent / "images" / "build"
TARGET = "armv7-unknown-linux-gnueabihf"
PROGRAMS = os.environ.get("ARMV7_PROGRAMS", "sensor uplink update health provision").split()


def last_line(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=7200).stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def programs():
    return Path(last_line(BUILD / "cross", TARGET, *PROGRAMS))


@pytest.fixture(scope="module")
def sysroot(tmp_path_factory):
    """What the programs see before the machine's own files: the C library, and a hwmon chip."""
    sysroot = tmp_path_factory.mktemp("armv7")
    (sysroot / "lib").symlink_to(Path(last_line(BUILD / "toolbox", "path")) / "usr/arm-linux-gnueabihf/lib")
    chip = sysroot / "sys/class/hwmon/hwmon0"
    chip.mkdir(parents=True)
    (chip / "name").write_text("armv7\n")
    (chip / "temp1_input").write_text("25500\n")
    return sysroot


def run(sysroot, *command, **environment):
    return subprocess.run(["qemu-arm", "-L", sysroot, *command], capture_output=True, text=True, timeout=120, check=False,
                          env=os.environ | environment)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_for_armv7_and_starts(programs, sysroot, program):
    path = programs / f"microkernel-{program}"
    # ELF, 32 bits, little-endian; machine 40 is ARM.
    header = path.read_bytes()[:20]
    assert header[:6] == b"\x7fELF\x01\x01" and int.from_bytes(header[18:20], "little") == 40
    if program == "health":
        # It takes no arguments. There is no bus here, and it says so.
        done = run(sysroot, path, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere")
        assert done.returncode == 1 and "connect to the system bus" in done.stderr, done
    else:
        done = run(sysroot, path, "--help")
        assert done.returncode == 0 and f"Usage: microkernel-{program}" in done.stdout, done


def test_sensors_are_read(programs, sysroot, tmp_path):
    (tmp_path / "sensors.toml").write_text("""
        [sensor.sensors.Temperature]
        driver = "hwmon"
        chip = "armv7"
        channel = "temp1"

        [sensor.sensors.Humidity]
        driver = "simulated"
        quantity = "humidity"
        mean = 48.25
        amplitude = 0
        noise = 0
        drift_per_hour = 0
        spike_probability = 0
        stuck_probability = 0
    """)
    done = run(sysroot, programs / "microkernel-sensor", "--read-once", MICROKERNEL_CONFIG_PATH=str(tmp_path),
               MICROKERNEL_STATE_DIR=str(tmp_path / "state"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "Humidity: 48.25 %\nTemperature: 25.5 °C\n", "")
