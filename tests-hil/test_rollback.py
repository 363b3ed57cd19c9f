"""An update that is no good is left by itself, and whoever sent it is told why."""

import re
import time

import pytest

from hil.bundles import remove, write

PREINIT = "/usr/lib/microkernel/preinit"
WASM = "/usr/lib/systemd/system/microkernel-wasm.service.d/90-broken.conf"

# What is broken: how, and what the server is told.
BROKEN = {
    "has no init": ([remove(PREINIT)], "kernel panic"),
    "has a kernel that does not boot": ([write("/boot/Image", b"no kernel\n" * 400)], "left no trace"),
    "panics": ([write(PREINIT, "#!/bin/sh\nmount -t proc proc /proc\necho c >/proc/sysrq-trigger\n", 0o755)], "kernel panic"),
    # The service manager crashes and freezes: from then on nobody feeds the watchdog.
    "hangs": ([write("/usr/lib/microkernel/grow-data", "#!/bin/sh\nkill -SEGV 1\n", 0o755)], "watchdog"),
    "can't mount its data": (
        [write("/usr/lib/systemd/system/data.mount.d/90-broken.conf", "[Mount]\nOptions=no-such-option\n")], r"emergency mode.*data\.mount"),
    # It is ready, then crashes, over and over.
    "fails its health check": (
        [write(WASM, "[Unit]\nConditionFileIsExecutable=\n[Service]\nType=exec\nExecStart=\nExecStart=/bin/sh -c 'sleep 1; exit 1'\n")],
        "health check failed.*microkernel-wasm.service"),
}


@pytest.mark.parametrize("broken", [pytest.param(name, marks=pytest.mark.fast if name == "has no init" else ()) for name in BROKEN])
def test_an_update_is_left_that(broken, device, server, workshop, deploy, measured):
    changes, reason = BROKEN[broken]
    before, other, version = device.booted_slot(), device.other_slot(), device.version()

    deployment = deploy(workshop.system(changes=changes))
    deployment.until({"rebooting"})
    start = time.monotonic()
    end = deployment.until({"rolled_back"}, 2400)
    measured(f"return from an update that {broken}", f"{time.monotonic() - start:.0f} s")

    # On the device: three attempts, then back, and never again.
    assert deployment.booted() == other * 3 + before
    assert (device.booted_slot(), device.version()) == (before, version)
    device.await_confirmed()
    assert device.boot_environment()["BOOT_ORDER"] == before
    assert device.rauc_slots()[other]["boot_status"] == "bad"
    # For its user: what happened, how often it was tried, and why.
    text = deployment.text(end)
    assert f"slot {other} with" in text and f"slot {before} with {version} runs again" in text
    assert re.search(reason, text), text
    assert re.search(reason, server.fleet.page(f"/devices/{device.id}")), "the device's page does not say why"
