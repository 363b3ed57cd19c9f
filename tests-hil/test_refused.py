"""What must not be installed is refused: by the server when it is uploaded, and by the device whatever the server says."""

import pytest

from hil.deployment import Deployment
from hil.fleet import Refused


@pytest.fixture
def refuses(device, server):
    """Has a server that lies offer a bundle; checks that the device refuses it, and that its user is told why."""
    def check(genuine, content, reason):
        before, tried = (device.boot_id(), device.boot_environment()), device.rauc_slots()
        release = server.fleet.upload(genuine)
        server.substitute(release, content)
        deployment = Deployment(server.fleet, device, release)
        end = deployment.until({"failed"}, 600)
        assert reason in deployment.text(end).lower()
        assert reason in server.fleet.page(f"/devices/{device.id}").lower(), "the device's page does not say why"
        assert (device.boot_id(), device.boot_environment()) == before, "it went on as if nothing had been"
        assert device.rauc_slots() == tried, "no slot was touched"

    return check


def test_a_bundle_with_a_wrong_signature(server, workshop, refuses):
    image = {"rootfs": workshop.random_image()}
    stranger = workshop.bundle(workshop.next_version(), image, signer=workshop.stranger())
    with pytest.raises(Refused, match="signature") as refused:
        server.fleet.upload(stranger)
    assert refused.value.status == 422
    refuses(workshop.bundle(workshop.next_version(), image), stranger, "signature verification failed")


def test_a_bundle_for_another_machine(workshop, refuses):
    image = {"rootfs": workshop.random_image()}
    bundle = workshop.bundle(workshop.next_version(), image, compatible="microkernel-other")
    refuses(bundle, bundle, "not compatible: the bundle is for")


def test_a_bundle_that_is_truncated(server, workshop, refuses):
    whole = workshop.bundle(workshop.next_version(), {"rootfs": workshop.random_image()})
    truncated = whole.with_suffix(".truncated")
    truncated.write_bytes(whole.read_bytes()[:-4096])
    with pytest.raises(Refused) as refused:
        server.fleet.upload(truncated)
    assert refused.value.status == 422 and refused.value.detail
    refuses(whole, truncated, "signature")


def test_a_bundle_that_is_older(workshop, refuses):
    bundle = workshop.bundle("0.0.1", {"rootfs": workshop.random_image()})
    refuses(bundle, bundle, "0.0.1 is older than")
