"""The image comes up whole."""

import pytest


@pytest.mark.fast
def test_it_boots(device):
    device.power_on()
    assert device.booted_slot() == "A"
    device.await_confirmed()
