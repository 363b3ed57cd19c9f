"""A full data partition."""

import pytest


@pytest.fixture
def full(device):
    """Fills /data to its last block; makes room again, at the latest in the end."""
    def make_room():
        device.check("rm -f /data/filler /data/filler2")

    device.check("! dd if=/dev/zero of=/data/filler bs=1M 2>/dev/null; ! dd if=/dev/zero of=/data/filler2 bs=4k 2>/dev/null; sync",
                 timeout_s=600)
    assert device.check("df --output=avail /data | tail -1") == "0"
    yield make_room
    make_room()


def test_an_update_is_put_off_the_device_stays_up_and_it_is_made_when_there_is_room(device, server, workshop, deploy, full):
    before, version = device.version(), workshop.next_version()
    deployment = deploy(workshop.system(version))
    # An update that can't be written down could not be explained after a power cut: it is not begun, and its user is told why.
    deployment.said("No space left on device", 600)
    assert device.version() == before
    device.until(lambda: device.is_online(server.fleet), 300, "the device is not online")
    assert device.run("systemctl is-active microkernel-sensor.service microkernel-uplink.service microkernel-update.service")[0] == 0

    full()
    deployment.succeeded()
    assert device.version() == version
