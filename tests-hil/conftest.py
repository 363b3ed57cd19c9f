"""Fixtures: one device and one server for all tests."""

import logging

import pytest

from hil.device import Device
from hil.strategy import Status


def pytest_configure(config):
    """labgrid tells each of its steps at the level of what people want to see: only with -vv."""
    if config.getoption("verbose") < 2:
        logging.getLogger("StepLogger").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def option(env):
    """An option of the environment file."""
    return env.config.get_option


@pytest.fixture(scope="session")
def device(target, strategy, option):
    """The device, as new and switched off when the session begins."""
    strategy.transition(Status.off)
    if hasattr(strategy.power, "erase"):
        strategy.power.erase()
    yield Device(target, strategy, option("device_id"))
    strategy.transition(Status.off)
