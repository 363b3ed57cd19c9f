"""A release becomes the running system."""

import time

import pytest

# The steps that a person sees, in their order. A bundle that is streamed is downloaded while it is installed.
STEPS = ["offered", "installing", "rebooting", "succeeded"]


@pytest.mark.fast
def test_an_update_is_installed_into_the_other_slot_booted_and_confirmed(device, server, workshop, deploy, measured):
    before, other = device.booted_slot(), device.other_slot()
    version = workshop.next_version()
    bundle = workshop.system(version)

    start = time.monotonic()
    deployment = deploy(bundle)
    deployment.until({"rebooting"})
    measured("installation of an update (adaptive)", f"{time.monotonic() - start:.0f} s")
    end = deployment.succeeded()
    measured("update, from deployment to confirmation", f"{time.monotonic() - start:.0f} s")

    states = deployment.states(end)
    assert [state for state in states if state in STEPS] == STEPS, states
    assert f"slot {other} runs {version} and passed its health check" in deployment.text(end)
    assert deployment.booted() == other, "the new slot at once, and no other"
    # On the device.
    assert (device.booted_slot(), device.version()) == (other, version)
    device.await_confirmed()
    environment = device.boot_environment()
    assert environment["BOOT_ORDER"] == f"{other} {before}"
    assert environment[f"BOOT_{other}_LEFT"] == "3"
    assert device.check("systemctl --failed --no-legend --plain") == ""
    # For its user.
    device.until(lambda: server.fleet.device(device.id)["version"] == version, 120, "the server does not show the new version")
    known = server.fleet.device(device.id)
    assert (known["slot"], known["state"]) == (other, "online")
    assert version in server.fleet.page(f"/devices/{device.id}")


def test_readings_go_on_after_an_update(device, server):
    """Whatever has run before: the sensors of the system that runs now are read, and what is read arrives."""
    newest = server.fleet.readings(device.id, "Temperature", limit=1)[-1]["timestamp"]
    device.until(lambda: server.fleet.readings(device.id, "Temperature", limit=1)[-1]["timestamp"] > newest, 120,
                 "no reading arrives any more")
