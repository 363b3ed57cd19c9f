"""The device under test, as the tests use it."""

import json
import re
import time

from labgrid.driver.exception import ExecutionError
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

    def renew(self, config, identity):
        """A device as it comes from the factory, provisioned and confirmed: how long to its shell, and to its confirmation."""
        self.power_off()
        if hasattr(self.strategy.power, "erase"):
            self.strategy.power.erase()
        self.strategy.provide(config, identity)
        start = time.monotonic()
        self._on(Status.provisioned)
        shell_s = time.monotonic() - start
        self.await_confirmed()
        return shell_s, time.monotonic() - start

    def power_off(self):
        """Cuts the power."""
        self._logged_in = False
        self.strategy.transition(Status.off)

    def power_on(self):
        """Powers on, and waits for a shell."""
        self._on(Status.shell)

    def _on(self, status):
        self.strategy.transition(status)
        self._booted(self.strategy.slot)
        self._logged_in = True
        self._quiet()

    def connect_network(self, connected):
        """Plugs its network cable in, or pulls it."""
        self.strategy.power.connect_network(connected)

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

    # -- is it well ------------------------------------------------------------------------------------------------------

    def is_fit(self, fleet):
        """Whether the next test can begin with it: its slot confirmed, at no update, seen online by the server."""
        if self.strategy.status in (Status.unknown, Status.off):
            return False
        try:
            self.await_confirmed(300)
            return not fleet.unfinished(self.id) and self.is_online(fleet)
        except (AssertionError, TIMEOUT, ExecutionError) as error:
            log.info("the device is not fit for the next test: %s", str(error).splitlines()[0])
            return False

    def account(self):
        """For whoever has to find out why a test failed: what is not up, and the journal's end."""
        if not self._logged_in:
            return f"no shell; booted: {self.slots()}"
        return self.run("systemctl --no-pager --plain --failed; journalctl --no-pager --boot --priority info --lines 80")[1]

    def is_online(self, fleet):
        """What the server says of it."""
        known = fleet.device(self.id)
        return known is not None and known["state"] == "online"

    # -- what it says of itself ------------------------------------------------------------------------------------------

    def await_confirmed(self, deadline_s=600):
        """Waits until the booted slot has passed its health check and is marked good."""
        confirmed = "systemctl is-active device-confirm.service"
        self.wait_until(f"{confirmed} || systemctl is-failed microkernel-health.service", deadline_s)
        assert self.run(confirmed)[0] == 0, self.run("journalctl --no-pager --boot --unit microkernel-health.service")[1]

    def reboot(self):
        """Reboots, and waits until the slot is confirmed again."""
        before = len(self.boots)
        self.check("systemctl --no-block reboot")
        self.until(lambda: len(self.boots) > before, 180, "the boot script does not start again")
        self.await_confirmed()

    def boot_id(self):
        """The kernel's name for this boot."""
        return self.check("cat /proc/sys/kernel/random/boot_id")

    def booted_slot(self):
        """A or B."""
        return re.search(r"rauc\.slot=(\w)", self.check("cat /proc/cmdline")).group(1)

    def other_slot(self):
        """The one that an update goes to."""
        return {"A": "B", "B": "A"}[self.booted_slot()]

    def version(self):
        """Of the system that runs."""
        return self.check(". /etc/os-release && echo $IMAGE_VERSION")

    def boot_environment(self):
        """BOOT_ORDER, BOOT_A_LEFT, BOOT_B_LEFT."""
        return dict(line.split("=", 1) for line in self.check("fw_printenv").splitlines())

    def rauc_slots(self):
        """What RAUC says of each slot, by the boot script's names."""
        status = json.loads(self.check("rauc status --detailed --output-format=json 2>/dev/null").splitlines()[-1])
        slots = [slot for entry in status["slots"] for slot in entry.values()]
        return {slot["bootname"]: slot for slot in slots if slot.get("bootname")}

    def rauc_progress(self):
        """How far an installation is, in percent."""
        progress = self.check("busctl get-property de.pengutronix.rauc / de.pengutronix.rauc.Installer Progress")
        return int(progress.split()[1])
