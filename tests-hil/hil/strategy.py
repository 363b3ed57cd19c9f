"""How a device gets from one state to the next; the same for the virtual device and for a board on a bench."""

import enum

import attr
from labgrid.factory import target_factory
from labgrid.protocol import ConsoleProtocol, PowerProtocol
from labgrid.step import step
from labgrid.strategy import Strategy, StrategyError

from .provision import over_the_shell

# What the boot script says (images/boot/boot.cmd.in).
BOOTING = r"microkernel: booting slot (\w)"


class Status(enum.Enum):
    """What is known of the device, in the order in which it gets there."""

    unknown = 0
    off = 1
    #: The boot script has chosen a slot.
    bootloader = 2
    #: There is a root shell.
    shell = 3
    #: It has its identity and its configuration.
    provisioned = 4


@target_factory.reg_driver
@attr.s(eq=False)
class MicrokernelStrategy(Strategy):
    """A state that can't be reached leaves `unknown`, from where every way begins with the power being cut: one test that fails
    does not take the others with it.

    Args:
        bootloader_s (int): deadline for the boot script, from power-on
    """

    bindings = {"power": PowerProtocol, "console": ConsoleProtocol, "shell": "ShellDriver"}

    status = attr.ib(default=Status.unknown)
    bootloader_s = attr.ib(default=180, validator=attr.validators.instance_of(int))

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        #: The slot that the boot script chose last, and what the console showed until then.
        self.slot, self.before_slot = None, ""
        self._config = self._identity = None

    def provide(self, config, identity):
        """What the device is provisioned with: a TOML file, and a folder with ca.crt, DEVICE.crt and DEVICE.key."""
        self._config, self._identity = config, identity

    @step(args=["status"])
    def transition(self, status, *, step):  # pylint: disable=redefined-outer-name
        """Brings the device into a state."""
        status = status if isinstance(status, Status) else Status[status]
        if status == self.status:
            step.skip("nothing to do")
            return
        before, self.status = self.status, Status.unknown
        if status == Status.off:
            self.target.deactivate(self.shell)
            self.target.activate(self.power)
            self.power.off()
        elif status == Status.bootloader:
            self.transition(Status.off)
            self.target.activate(self.console)
            self.power.on()
            self._await_boot_script()
        elif status == Status.shell:
            if before != Status.bootloader:
                self.transition(Status.bootloader)
            self.target.activate(self.shell)
        elif status == Status.provisioned:
            # A hypervisor hands it over at power-on; a board is told when it is up.
            if hasattr(self.power, "provide"):
                self.power.provide(self._config, self._identity)
                self.transition(Status.shell)
            else:
                if before != Status.shell:
                    self.transition(Status.shell)
                over_the_shell(self.shell, self._config, self._identity)
        else:
            raise StrategyError(f"there is no way to {status}")
        self.status = status

    def _await_boot_script(self):
        _, before, match, _ = self.console.expect(BOOTING, timeout=self.bootloader_s)
        self.before_slot = before.decode(errors="replace")
        self.slot = match.group(1).decode()
