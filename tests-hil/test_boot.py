"""The image comes up whole."""

import re

import pytest

# What has to run on every device; what else is enabled has to run, too.
UNITS = ["boot-complete.target", "microkernel.target", "dbus-broker.service", "systemd-networkd.service",
         "microkernel-sensor.service", "microkernel-uplink.service", "microkernel-update.service"]


@pytest.mark.fast
def test_all_units_are_active_and_none_has_failed(device, server):
    assert device.run("systemctl is-system-running --wait", 300) == (0, "running")
    assert device.check("systemctl --failed --no-legend --plain") == ""
    for unit in UNITS:
        assert device.run(f"systemctl is-active {unit}") == (0, "active"), unit
    health = server.fleet.device(device.id)["health"]
    assert health["services"], health


@pytest.mark.fast
def test_the_server_shows_the_device_with_its_version_and_slot(device, server):
    known = server.fleet.device(device.id)
    assert (known["version"], known["slot"]) == (device.version(), device.booted_slot())
    assert device.id in server.fleet.page("/")
    assert device.version() in server.fleet.page(f"/devices/{device.id}")


def test_the_slot_is_marked_good(device):
    slot = device.booted_slot()
    assert device.rauc_slots()[slot]["state"] == "booted"
    assert device.rauc_slots()[slot]["boot_status"] == "good"
    assert device.boot_environment()[f"BOOT_{slot}_LEFT"] == "3"


def test_the_root_is_read_only_and_data_fills_the_disk(device):
    assert device.run("touch /usr/x")[0] != 0
    assert device.check("findmnt -no FSTYPE /var") == "tmpfs"
    assert int(device.check("df --output=size -BM /data | tail -1").rstrip("M")) > 1000


def test_only_the_agent_may_install(device):
    call = "busctl call de.pengutronix.rauc / de.pengutronix.rauc.Installer InstallBundle 'sa{sv}' /none 0"
    code, output = device.run(f"setpriv --reuid=microkernel-sensor --clear-groups {call} 2>&1")
    assert code != 0 and "denied" in output.lower(), output


def test_the_services_stay_within_memory(device, measured):
    current = device.check(
        "for unit in $(systemctl list-units --no-legend --plain --state=running 'microkernel-*.service' | cut -d' ' -f1);"
        " do systemctl show -P MemoryCurrent $unit; done")
    total_mib = sum(int(line) for line in current.splitlines()) / (1 << 20)
    measured("memory of our services at rest", f"{total_mib:.1f} MiB")
    assert 0 < total_mib < 96


def test_the_identifier_survives_a_reboot(device):
    identifier, boot = device.check("cat /etc/machine-id"), device.boot_id()
    device.reboot()
    assert device.boot_id() != boot
    assert device.check("cat /etc/machine-id") == identifier
    assert re.fullmatch("[0-9a-f]{32}", identifier)
