"""The device under test, as the tests use it."""

import json
import re
import time

from pexpect import TIMEOUT

from . import log
from .strategy import BOOTING, Status

# What a command may take on a machine that is busy with other things.
COMMAND_S = 120


class Device:
    """Commands over its shell, and what is seen of its reboots on the console.

    Whoever waits for a device that may reboot waits with follow() or until(): they read the console, and never write to it.
    """

    def __init__(self, target, strategy, device_id):
        self.target, self.strategy, self.id = target, strategy, device_id
        self._logged_in = False
        #: The slots that were booted, the oldest first, with the time of each.
        self.boots = []

    # -- power -----------------------------------------------------------------------------------------------------------

    def provision(self, config, identity):
        """Powers on with an identity, and waits for a shell."""
        self.strategy.provide(config, identity)
        start = time.monotonic()
        self.strategy.transition(Status.off)
        self.strategy.transition(Status.provisioned)
        self._booted(self.strategy.slot)
        self._logged_in = True
        self._quiet()
        return time.monotonic() - start

    def power_off(self):
        """Cuts the power."""
        self._logged_in = False
        self.strategy.transition(Status.off)

    def power_on(self):
        """Powers on, and waits for a shell."""
        self.strategy.transition(Status.shell)
        self._booted(self.strategy.slot)
        self._logged_in = True
        self._quiet()

    # -- the console -----------------------------------------------------------------------------------------------------

    def follow(self, seconds):
        """Reads the console for so long; notes which slots are booted."""
        end = time.monotonic() + seconds
        console = self.strategy.console
        while (left := end - time.monotonic()) > 0:
            try:
                _, _, match, _ = console.expect(BOOTING, timeout=left)
            except TIMEOUT:
                return
            self._booted(match.group(1).decode())

    def until(self, condition, deadline_s, what, poll_s=1.0):
        """What `condition` returns, once it is true. It may ask the server, not the device's shell, which a reboot would break."""
        end = time.monotonic() + deadline_s
        while not (value := condition()):
            assert time.monotonic() < end, f"after {deadline_s} s: {what() if callable(what) else what}; booted: {self.slots()}"
            self.follow(poll_s)
        return value

    def slots(self, since=0):
        """The slots that were booted, from a certain boot on: AAB."""
        return "".join(slot for slot, _ in self.boots[since:])

    def await_shell(self):
        """Waits for the prompt of the system that is coming up."""
        self.target.deactivate(self.strategy.shell)
        self.target.activate(self.strategy.shell)
        self._logged_in = True
        self._quiet()

    def _booted(self, slot):
        self.boots.append((slot, time.monotonic()))
        self._logged_in = False
        log.info("the boot script starts slot %s", slot)

    def _quiet(self):
        # What the kernel prints would land in the middle of a command's output.
        self.check("dmesg --console-off")

    # -- commands --------------------------------------------------------------------------------------------------------

    def run(self, command, timeout_s=COMMAND_S):
        """A command's exit code and output."""
        self.follow(0.05)
        if not self._logged_in:
            self.await_shell()
        lines, _, code = self.strategy.shell.run(command, timeout=timeout_s, decodeerrors="replace")
        return code, "\n".join(lines).strip()

    def check(self, command, timeout_s=COMMAND_S):
        """The output of a command that must succeed."""
        code, output = self.run(command, timeout_s)
        assert code == 0, f"{command}: {code}\n{output}"
        return output

    def wait_until(self, command, deadline_s):
        """The output of a command, once it succeeds. The device must not be about to reboot."""
        end = time.monotonic() + deadline_s
        while True:
            code, output = self.run(command)
            if code == 0:
                return output
            assert time.monotonic() < end, f"{command}: {code} after {deadline_s} s\n{output}"
            self.follow(1)

    # -- what it says of itself ------------------------------------------------------------------------------------------

    def await_confirmed(self, deadline_s=600):
        """Waits until the booted slot has passed its health check and is marked good."""
        self.wait_until("systemctl is-active device-confirm.service", deadline_s)

    def booted_slot(self):
        """A or B."""
        return re.search(r"rauc\.slot=(\w)", self.check("cat /proc/cmdline")).group(1)

    def version(self):
        """Of the system that runs."""
        return self.check(". /etc/os-release && echo $IMAGE_VERSION")

    def boot_environment(self):
        """BOOT_ORDER, BOOT_A_LEFT, BOOT_B_LEFT."""
        return dict(line.split("=", 1) for line in self.check("fw_printenv").splitlines())

    def rauc_slots(self):
        """What RAUC says of each slot, by the boot script's names."""
        status = json.loads(self.check("rauc status --output-format=json 2>/dev/null").splitlines()[-1])
        slots = [slot for entry in status["slots"] for slot in entry.values()]
        return {slot["bootname"]: slot for slot in slots if slot.get("bootname")}
