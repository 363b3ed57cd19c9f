"""A full data partition."""

import pytest



@pytest.fixture
def full(device):
    """Fills /data to its last block; makes room again."""
    device.check("! dd if=/dev/zero of=/data/filler bs=1M 2>/dev/null; ! dd if=/dev/zero of=/data/filler2 bs=4k 2>/dev/null; sync",
                 timeout_s=600)
    assert device.check("df --output=avail /data | tail -1") == "0"
    yield
    device.check("rm -f /data/filler /data/filler2")


def test_an_update_is_refused_or_completed_and_the_device_stays_up(device, server, workshop, deploy, full):
    before, version = device.version(), workshop.next_version()
    deployment = deploy(workshop.system(version))
    end = deployment.until({"succeeded", "failed", "rolled_back"}, 2400)
    if end["state"] == "succeeded":
        assert device.version() == version
    else:
        assert device.version() == before
        assert "space" in deployment.text(end).lower(), "its user is told why"
    device.until(lambda: device.is_online(server.fleet), 300, "the device is not online")
    assert device.run("systemctl is-active microkernel-sensor.service microkernel-uplink.service microkernel-update.service")[0] == 0
