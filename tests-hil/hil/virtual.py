"""The virtual device: its power, its console and QEMU's control socket."""

import os
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import attr
from labgrid.driver import Driver
from labgrid.driver.consoleexpectmixin import ConsoleExpectMixin
from labgrid.driver.exception import ExecutionError
from labgrid.factory import target_factory
from labgrid.protocol import ConsoleProtocol, PowerProtocol
from labgrid.step import step
from labgrid.util.qmp import QMPMonitor
from pexpect import TIMEOUT

from .source import IMAGES, image_dir

# How long QEMU may take to open its control socket, and to be gone.
START_S, STOP_S = 60, 30


@target_factory.reg_driver
@attr.s(eq=False)
class VirtualDeviceDriver(ConsoleExpectMixin, Driver, PowerProtocol, ConsoleProtocol):
    """Runs images/run, which knows QEMU's command line. Switching off is pulling the plug: QEMU is killed.

    Args:
        device_id (str): the device's name; its disk is images/run's for that name, and is made anew by erase()
    """

    device_id = attr.ib(validator=attr.validators.instance_of(str))

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        # Asked for by ConsoleExpectMixin: an emulated serial line takes all at once.
        self.txdelay, self.txchunk = 0.0, 1
        #: Handed over at the next power-on: a configuration file and a folder with certificates.
        self.config, self.identity = None, None
        self._machine, self._qmp, self._sockets = None, None, None

    @property
    def disk(self):
        """What the device has written, over the image."""
        return image_dir("virtual") / "devices" / f"{self.device_id}.qcow2"

    @property
    def pid(self):
        """QEMU's process."""
        return self._machine.pid

    def provide(self, config, identity):
        """What the next power-on hands to the device."""
        self.config, self.identity = config, identity

    def erase(self):
        """A disk as it comes from the factory. Only while the power is off."""
        if self._machine is not None:
            raise ExecutionError("the disk can't be made anew while the device runs: switch it off first")
        self.disk.unlink(missing_ok=True)

    @step()
    def on(self):
        """Power on."""
        if self._machine is not None:
            return
        self._sockets = tempfile.TemporaryDirectory(prefix="hil-")
        control = Path(self._sockets.name) / "qmp"
        environment = os.environ | {"QMP": str(control)}
        if self.config is not None:
            environment |= {"CONFIG": str(self.config), "IDENTITY": str(self.identity)}
        self._machine = subprocess.Popen(
            [IMAGES / "run", self.device_id], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._qmp = self._connect(control)

    def _connect(self, path):
        end = time.monotonic() + START_S
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(path))
            except OSError as error:
                connection.close()
                code = self._machine.poll()
                if code is not None or time.monotonic() > end:
                    self.off()
                    raise ExecutionError(f"images/run {self.device_id} gives no control socket ({error}; exit code {code})") from error
                time.sleep(0.05)
                continue
            connection.settimeout(START_S)
            return QMPMonitor(connection.makefile("rb"), connection.makefile("wb"))

    @step()
    def off(self):
        """Pulls the plug."""
        if self._machine is None:
            return
        self._machine.kill()
        self._machine.wait(timeout=STOP_S)
        self._machine.stdin.close()
        self._machine.stdout.close()
        self._sockets.cleanup()
        self._machine, self._qmp, self._sockets = None, None, None

    def cycle(self):
        """Off and on."""
        self.off()
        self.on()

    @step(args=["command", "arguments"], result=True)
    def control(self, command, **arguments):
        """A command of QEMU's machine protocol (QMP)."""
        if self._qmp is None:
            raise ExecutionError(f"{command}: the device is off")
        return self._qmp.execute(command, arguments)

    def connect_network(self, connected):
        """Plugs the network cable in, or pulls it."""
        self.control("set_link", name="nic", up=connected)

    def on_activate(self):
        """Power on is on(): a driver may be active without."""

    def on_deactivate(self):
        self.off()

    def _read(self, size=1, timeout=0.0, max_size=None):
        if self._machine is None:
            raise ExecutionError("the console can't be read: the device is off")
        if not select.select([self._machine.stdout], [], [], max(timeout, 0))[0]:
            raise TIMEOUT(f"nothing on the console for {timeout} s")
        data = os.read(self._machine.stdout.fileno(), max_size or 4096)
        if not data:
            raise ExecutionError(f"QEMU ended by itself, with exit code {self._machine.wait(timeout=STOP_S)}")
        return data

    def _write(self, data):
        return os.write(self._machine.stdin.fileno(), data)
