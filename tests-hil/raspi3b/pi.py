"""The emulated Pi: its power, its console, the temperature around its sensor."""

import json
import socket
import subprocess
import time
from pathlib import Path

import pexpect

# Software emulation on a busy machine: many times what it takes.
BOOT_DEADLINE_S = 300
READ_DEADLINE_S = 60


class Pi:
    """Boots to a loop that reads the sensors on request."""

    def __init__(self, artifacts, folder, log):
        self.qmp_path = folder / "qmp"
        self.console = pexpect.spawn("qemu-system-aarch64", [
            "-M", "raspi3b", "-nographic", "-no-reboot", "-monitor", "none", "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
            "-kernel", str(artifacts / "Image"), "-dtb", str(artifacts / "raspi3b.dtb"), "-initrd", str(artifacts / "initrd"),
            # The device tree gives the first serial port to Bluetooth, so the console is on the second.
            "-append", "console=ttyS1,115200 panic=-1", "-serial", "null", "-serial", "stdio",
            "-device", "tmp105,id=tmp105,bus=i2c-bus.1,address=0x48",
        ], encoding="utf-8", codec_errors="replace", echo=False, timeout=READ_DEADLINE_S)
        self.console.logfile_read = log
        self.qmp = None

    def boot(self):
        """Waits until it takes requests; how long it took, in seconds."""
        start = time.monotonic()
        self.console.expect_exact("raspi3b: ready", timeout=BOOT_DEADLINE_S)
        self.qmp = Qmp(self.qmp_path)
        return time.monotonic() - start

    def set_temperature(self, celsius):
        self.qmp.execute("qom-set", path="/machine/peripheral/tmp105", property="temperature", value=round(celsius * 1000))

    def read_once(self):
        """The exit code of `microkernel-sensor --read-once` and what it printed."""
        self.console.sendline()
        self.console.expect(r"(?s)(.*)raspi3b: exit code (\d+)")
        output, code = self.console.match.groups()
        self.console.expect_exact("raspi3b: ready")
        return int(code), output.replace("\r", "").strip()

    def power_off(self):
        if self.qmp is not None:
            self.qmp.close()
        self.console.close(force=True)


class Qmp:
    """QEMU's machine protocol: https://www.qemu.org/docs/master/interop/qmp-spec.html"""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(READ_DEADLINE_S)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.lines.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        for line in self.lines:
            answer = json.loads(line)
            # Events come in between.
            if "event" not in answer:
                assert "return" in answer, answer
                return answer["return"]
        raise AssertionError(f"QEMU ended while it was asked to {command}")

    def close(self):
        self.lines.close()
        self.socket.close()


def build():
    """Makes what it boots; see raspi3b/build."""
    script = Path(__file__).with_name("build")
    done = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True, timeout=3600)
    return Path(done.stdout.splitlines()[-1])
