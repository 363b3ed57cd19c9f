"""What is interrupted goes on."""

import time

import pytest

from hil import log

# How long it is interrupted: longer than a connection lives on what is buffered.
BREAK_S = 30


@pytest.fixture
def under_way(device, workshop, deploy):
    """An update whose download is in the middle. Not an adaptive one: it has to be downloaded whole."""
    deployment = deploy(workshop.system(adaptive=False))
    deployment.said("into slot", 600)
    device.until(lambda: 50 <= device.rauc_progress() < 90, 600, "RAUC is not seen in the middle of the slot", poll_s=0.5)
    assert deployment.look()["state"] == "installing"
    return deployment


@pytest.mark.lg_feature("network")
def test_a_download_goes_on_after_the_network_was_cut(device, under_way, measured):
    device.connect_network(False)
    log.info("the network is cut for %d s", BREAK_S)
    device.follow(BREAK_S)
    assert under_way.look()["state"] == "installing", "it was over before the network was cut"
    device.connect_network(True)
    start = time.monotonic()
    under_way.succeeded()
    measured("update, from the network's return to its confirmation", f"{time.monotonic() - start:.0f} s")


def test_a_download_goes_on_after_the_server_was_restarted(server, under_way, measured):
    log.info("the server is restarted")
    server.stop()
    under_way.device.follow(BREAK_S)
    server.start()
    start = time.monotonic()
    assert under_way.look()["state"] == "installing", "it was over before the server was stopped"
    under_way.succeeded()
    measured("update, from the server's return to its confirmation", f"{time.monotonic() - start:.0f} s")
