"""Fixtures: one device and one server for all tests."""

import logging
import signal
import tempfile
from pathlib import Path

import pytest
from labgrid.driver.exception import ExecutionError
from pexpect import TIMEOUT

from hil import log
from hil.bundles import Workshop
from hil.deployment import Deployment
from hil.device import Device
from hil.server import Server
from hil.source import image_dir, target_dir
from hil.strategy import Status

MEASURED = pytest.StashKey[dict]()
BENCH = pytest.StashKey[Device]()


def pytest_configure(config):
    """labgrid tells each of its steps at the level of what people want to see: only with -vv."""
    config.stash[MEASURED] = {}
    # Whoever ends the tests (a CI job that takes too long) gets no device and no server left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if config.getoption("verbose") < 2:
        logging.getLogger("StepLogger").setLevel(logging.CRITICAL)


def pytest_collection_modifyitems(items):
    """A device that does not boot is told of first. All else is independent of the order."""
    items.sort(key=lambda item: item.path.name != "test_boot.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Beside a failure stands what the device says of itself."""
    report = yield
    bench = item.config.stash.get(BENCH, None)
    if report.failed and bench is not None:
        try:
            report.sections.append(("the device", bench.account()))
        except (TIMEOUT, ExecutionError) as error:
            report.sections.append(("the device", f"gives no answer: {error}"))
    return report


def pytest_terminal_summary(terminalreporter, config):
    """What was measured is worth more than what is remembered."""
    if measured := config.stash[MEASURED]:
        terminalreporter.section("measured")
        for name, value in measured.items():
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def measured(pytestconfig, record_testsuite_property):
    """Keeps what was measured for the end, and for the JUnit report."""
    def keep(name, value):
        pytestconfig.stash[MEASURED][name] = value
        record_testsuite_property(name, value)

    return keep


@pytest.fixture(scope="session")
def option(env):
    """An option of the environment file."""
    return env.config.get_option


@pytest.fixture(scope="session")
def workshop(option):
    """Makes bundles for the device's machine."""
    machine = option("machine")
    workshop = Workshop(machine, image_dir(machine) / "hil")
    yield workshop
    workshop.close()


@pytest.fixture(scope="session")
def server(option):
    """The server. Its log is in the reports' folder; its data is gone afterwards."""
    reports = target_dir() / "hil"
    reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hil-") as folder:
        server = Server(Path(folder), option("server_host"), log_path=reports / "server.log")
        log.info("starting the server: its database, its broker, its authority")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def bench(target, strategy, option, pytestconfig):
    """The device under test on its bench, in whatever state; switched off in the end."""
    pytestconfig.stash[BENCH] = Device(target, strategy, option("device_id"))
    yield pytestconfig.stash[BENCH]
    del pytestconfig.stash[BENCH]
    strategy.transition(Status.off)


@pytest.fixture(scope="session")
def identity(server, option, tmp_path_factory):
    """What the device is provisioned with: a configuration file and a folder with certificates."""
    folder = tmp_path_factory.mktemp("identity")
    config = folder / "device.toml"
    config.write_text(server.device_configuration(option("device_id")))
    return config, server.issue(option("device_id"), folder)


@pytest.fixture
def device(bench, server, identity, measured):
    """A device that is provisioned, has confirmed its slot, and is at no update. What an earlier test has left in another
    state is made new."""
    if bench.is_fit(server.fleet):
        return bench
    log.info("a new device: booting it (about a minute)")
    if bench.boots:
        for unfinished in server.fleet.unfinished(bench.id):
            server.fleet.cancel(bench.id, unfinished)
    shell_s, confirmed_s = bench.renew(*identity)
    measured("power-on to shell", f"{shell_s:.0f} s")
    measured("power-on to confirmed", f"{confirmed_s:.0f} s")
    bench.until(lambda: bench.is_online(server.fleet), 300, "the server does not see the device online")
    return bench


@pytest.fixture
def deploy(device, server, workshop):
    """Uploads a bundle and gives it to the device."""
    def begin(bundle):
        release = server.fleet.upload(bundle)
        log.info("deploying %s, %d MiB", bundle.name, bundle.stat().st_size >> 20)
        return Deployment(server.fleet, device, release)

    return begin
