"""The virtual device under QEMU: its console, its reboots, its power."""

import os
import re
import subprocess
import time
import uuid

import pexpect
from conftest import IMAGES

PROMPT = re.compile(r"[\r\n][^\r\n]*bash-[0-9.]+# ")


class Device:
    """One device with a disk of its own. Software emulation on a busy machine is slow: deadlines are many times what it takes."""

    def __init__(self, log, boot_deadline_s=600):
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.boot_deadline_s = boot_deadline_s
        self.log = log
        self.console = None
        self.boot_time_s = None

    def power_on(self):
        self.console = pexpect.spawn(str(IMAGES / "run"), [self.name], encoding="utf-8", codec_errors="replace", timeout=120)
        self.console.logfile_read = self.log
        # A line longer than this would be wrapped by the terminal.
        self.console.setwinsize(50, 500)
        self.wait_for_boot()

    def wait_for_boot(self):
        """From the boot script to a prompt; the slot that was booted."""
        start = time.monotonic()
        self.console.expect(r"microkernel: booting slot (\w)", timeout=self.boot_deadline_s)
        slot = self.console.match.group(1)
        self.console.expect(PROMPT, timeout=self.boot_deadline_s)
        self.boot_time_s = time.monotonic() - start
        self.console.sendline("stty columns 500; dmesg --console-off")
        self.console.expect(PROMPT)
        return slot

    def booted_slots_until_prompt(self, deadline_s):
        """The slots that were tried until one came up."""
        slots, end = [], time.monotonic() + deadline_s
        while True:
            found = self.console.expect([r"microkernel: booting slot (\w)", PROMPT], timeout=end - time.monotonic())
            if found == 1:
                self.console.sendline("stty columns 500; dmesg --console-off")
                self.console.expect(PROMPT)
                return slots
            slots.append(self.console.match.group(1))

    def run(self, command, timeout_s=120):
        """Its exit code and what it prints."""
        mark = uuid.uuid4().hex[:8]
        self.console.sendline(f"{command}; echo {mark}-$?-")
        self.console.expect(rf"[\r\n](.*?){mark}-(\d+)-", timeout=timeout_s)
        output, code = self.console.match.group(1), int(self.console.match.group(2))
        self.console.expect(PROMPT)
        return code, output.replace("\r", "").strip()

    def check(self, command, timeout_s=120):
        code, output = self.run(command, timeout_s)
        assert code == 0, f"{command}: {code}\n{output}"
        return output

    def wait_until(self, command, deadline_s):
        """Runs it until it succeeds."""
        end = time.monotonic() + deadline_s
        while True:
            code, output = self.run(command)
            if code == 0:
                return output
            assert time.monotonic() < end, f"{command}: {code}\n{output}"
            time.sleep(1)

    def reboot(self):
        self.console.sendline("systemctl reboot")
        return self.wait_for_boot()

    def power_off(self):
        if self.console is not None:
            self.console.close(force=True)

    def remove(self):
        self.power_off()
        target = os.environ.get("CARGO_TARGET_DIR", IMAGES.parent / "target")
        subprocess.run(["rm", "-f", f"{target}/image/virtual/devices/{self.name}.qcow2"], check=True, timeout=30)
