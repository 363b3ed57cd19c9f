"""Partition layout, RAUC, boot script, mounts, udev and fw_env.config are different files that must say the same.

What the Yocto layer adds is in test_contract_yocto.py; that each file is really compared, in test_contract_mutations.py.
"""

import configparser
import re
import shutil
import subprocess

import pytest
from conftest import DIST, IMAGES, MACHINES, ROOT, machine_values, read_env
from disk import partitions

UNITS = DIST / "usr/lib/systemd/system"
WITH_UBOOT = [name for name in MACHINES if machine_values(name)["BOOTLOADER"] == "uboot"]
WITH_TRYBOOT = [name for name in MACHINES if machine_values(name)["BOOTLOADER"] == "tryboot"]


@pytest.fixture(params=MACHINES)
def machine(request, rendered):
    return machine_values(request.param), rendered(request.param)


@pytest.fixture(params=WITH_UBOOT)
def uboot_machine(request, rendered):
    return machine_values(request.param), rendered(request.param)


@pytest.fixture(params=WITH_TRYBOOT)
def tryboot_machine(request, rendered):
    return machine_values(request.param), rendered(request.param)


def system_conf(folder):
    parser = configparser.ConfigParser(strict=True)
    parser.read_string((folder / "etc/rauc/system.conf").read_text())
    return parser


def udev_names(folder):
    rules = (folder / "usr/lib/udev/rules.d/80-microkernel-disk.rules").read_text()
    found = re.findall(r'ENV\{(\w+)\}=="([^"]+)", SYMLINK\+="(microkernel/[^"]+)"', rules)
    return {f"/dev/{name}": (key, value) for key, value, name in found}


def test_every_name_below_dev_microkernel_is_made_by_the_udev_rule(machine):
    _, folder = machine
    used = set()
    for path in [*DIST.rglob("*"), folder / "etc/rauc/system.conf", folder / "etc/fw_env.config"]:
        if path.is_file():
            used |= set(re.findall(r"/dev/microkernel/[a-z-]+", path.read_text()))
    assert used and used <= set(udev_names(folder)), "a name that nobody makes"


def test_the_slots_of_rauc_are_the_partitions_that_the_boot_script_boots(uboot_machine):
    values, folder = uboot_machine
    conf, names, script = system_conf(folder), udev_names(folder), (folder / "boot.cmd").read_text()
    slots = {conf[section]["bootname"]: conf[section]["device"] for section in conf if section.startswith("slot.")}
    booted = dict(re.findall(r"setenv rootfs_partuuid (\S+)\n", script) and re.findall(
        r"setenv rootfs_partition (\d)\n\tsetenv rootfs_partuuid (\S+)\n", script))
    for letter in "AB":
        uuid = values[f"ROOTFS_{letter}_PARTUUID"]
        assert names[slots[letter]] == ("ID_PART_ENTRY_UUID", uuid)
        assert booted[values[f"ROOTFS_{letter}_PARTITION"]] == uuid


def test_slot_a_is_what_the_script_boots_as_a(uboot_machine):
    values, folder = uboot_machine
    script = (folder / "boot.cmd").read_text()
    chosen = re.search(r"if test \$\{slot\} = A; then\n.*?rootfs_partuuid (\S+)\nelse\n.*?rootfs_partuuid (\S+)\n", script, re.S)
    assert chosen.groups() == (values["ROOTFS_A_PARTUUID"], values["ROOTFS_B_PARTUUID"])


def test_linux_and_u_boot_read_the_same_bytes_as_the_environment(uboot_machine, layout):
    _, folder = uboot_machine
    lines = [line.split() for line in (folder / "etc/fw_env.config").read_text().splitlines() if not line.startswith("#")]
    script = dict(re.findall(r"^setenv (env_\w+) (0x[0-9a-f]+)$", (folder / "boot.cmd").read_text(), re.M))
    assert len(lines) == 2
    for copy, (device, offset, size) in enumerate(lines):
        assert device == "/dev/microkernel/disk"
        assert int(offset, 0) == int(script[f"env_block_{copy}"], 0) * 512 == int(layout[f"ENV_OFFSET_{copy}"], 0)
        assert int(size, 0) == int(script["env_blocks"], 0) * 512 == int(script["env_size"], 0)


def test_the_environment_lies_outside_partitions_and_tables(layout):
    copies = [(int(layout[f"ENV_OFFSET_{n}"], 0), int(layout["ENV_SIZE"], 0)) for n in range(2)]
    for offset, size in copies:
        assert offset % 512 == 0 and size % 512 == 0
        assert offset >= 1 << 20, "the partition tables"
        assert offset + size <= int(layout["FIRST_PARTITION_MIB"]) << 20
    assert abs(copies[0][0] - copies[1][0]) >= 4 << 20, "one erase block"


def test_attempts_are_counted_alike(uboot_machine, layout):
    _, folder = uboot_machine
    assert system_conf(folder)["system"]["boot-attempts"] == layout["BOOT_ATTEMPTS"]
    assert f"setenv BOOT_A_LEFT {layout['BOOT_ATTEMPTS']}\n" in (folder / "boot.cmd").read_text()
    new = dict(line.split("=") for line in (folder / "boot-environment.txt").read_text().splitlines() if not line.startswith("#"))
    assert new == {"BOOT_ORDER": "A", "BOOT_A_LEFT": layout["BOOT_ATTEMPTS"], "BOOT_B_LEFT": "0"}, "B is empty on a new disk"


def test_partitions_are_numbered_and_identified_in_their_order(machine):
    values, _ = machine
    expected = partitions(values)
    assert [partition.number for partition in expected] == list(range(1, len(expected) + 1))
    if values["PARTITION_TABLE"] == "dos":
        assert len(expected) <= 4, "primary partitions"
        assert [partition.partuuid for partition in expected] == [f"{values['DISK_ID']}-{n:02}" for n in range(1, len(expected) + 1)]
    assert len({partition.partuuid for partition in expected}) == len(expected)


def test_every_partition_has_its_name_below_dev_microkernel(machine):
    values, folder = machine
    names = udev_names(folder)
    assert names.pop("/dev/microkernel/disk") == ("ID_PART_TABLE_UUID", values["DISK_ID"])
    assert names == {f"/dev/microkernel/{p.name}": ("ID_PART_ENTRY_UUID", p.partuuid) for p in partitions(values)}


def test_the_data_partition_is_grown_before_it_is_checked_and_mounted():
    unit = (UNITS / "device-grow-data.service").read_text()
    script = (DIST / "usr/lib/microkernel/grow-data").read_text()
    for name in ("disk", "data"):
        assert f"dev-microkernel-{name}.device" in re.search(r"^BindsTo=(.+)$", unit, re.M).group(1)
        assert f"readlink -f /dev/microkernel/{name})" in script
    assert re.search(r"^Before=data\.mount systemd-fsck@dev-microkernel-data\.service$", unit, re.M)
    assert "ExecStart=/usr/lib/microkernel/grow-data\n" in unit
    assert "WantedBy=data.mount\n" in unit
    assert "systemd-growfs@data.service" in (UNITS / "data.mount").read_text(), "and the file system after it"


def test_machines_differ_in_compatible_and_disk():
    for key in ("MACHINE", "COMPATIBLE", "DISK_ID"):
        values = [machine_values(machine)[key] for machine in MACHINES]
        assert len(set(values)) == len(values), key


def test_rauc_accepts_only_what_the_design_allows(machine):
    values, folder = machine
    conf = system_conf(folder)
    assert conf["system"]["compatible"] == values["COMPATIBLE"]
    assert conf["system"]["bundle-formats"] == "-plain"
    assert conf["keyring"]["check-purpose"] == "codesign"
    assert conf["keyring"].getboolean("use-bundle-signing-time")
    assert {"artifacts.scripts", "artifacts.models"} <= set(conf.sections())


def test_everything_that_must_survive_an_update_is_on_the_data_partition(machine):
    _, folder = machine
    conf, mounts = system_conf(folder), {path.stem: path.read_text() for path in UNITS.glob("*.mount")}
    assert "What=/dev/microkernel/data\nWhere=/data\n" in mounts["data"]
    assert "Type=tmpfs" in mounts["var"]
    tmpfiles = (DIST / "usr/lib/tmpfiles.d/microkernel.conf").read_text()
    bound = re.findall(r"^What=(/data/\S+)$", "\n".join(mounts.values()), re.M)
    kept = [conf["system"]["data-directory"], conf["artifacts.scripts"]["path"], conf["artifacts.models"]["path"], *bound]
    for path in kept:
        assert path.startswith("/data/")
        assert re.search(rf"^d {path} ", tmpfiles, re.M), f"nobody makes {path}"


def test_the_kernel_is_told_where_the_data_partition_is(uboot_machine):
    values, folder = uboot_machine
    assert f"microkernel.data=PARTUUID={values['DATA_PARTUUID']} " in (folder / "boot.cmd").read_text()
    assert "microkernel.data=*) data=${word#microkernel.data=}" in (DIST / "usr/lib/microkernel/preinit").read_text()


def test_the_firmware_boots_the_slots_of_rauc(tryboot_machine):
    values, folder = tryboot_machine
    conf, names = system_conf(folder), udev_names(folder)
    assert conf["system"]["bootloader"] == "custom" and "boot-attempts" not in conf["system"]
    numbers = [values["BOOT_A_PARTITION"], values["BOOT_B_PARTITION"]]
    assert re.findall(r"^boot_partition=(\d)$", (folder / "autoboot.txt").read_text(), re.M) == numbers
    assert re.findall(r"\[boot_partition=(\d)\]\ncmdline=cmdline-(\w)\.txt", (folder / "config.txt").read_text()) == [
        (numbers[0], "a"), (numbers[1], "b")]
    for index, letter in enumerate("AB"):
        slot = conf[f"slot.rootfs.{index}"]
        assert slot["bootname"] == letter
        assert names[slot["device"]] == ("ID_PART_ENTRY_UUID", values[f"ROOTFS_{letter}_PARTUUID"])
        boot = conf[f"slot.boot.{index}"]
        assert boot["parent"] == f"rootfs.{index}", "installed together"
        assert names[boot["device"]] == ("ID_PART_ENTRY_UUID", values[f"BOOT_{letter}_PARTUUID"])
        line = (folder / f"cmdline-{letter.lower()}.txt").read_text()
        assert line.count("\n") == 1 and f"root=PARTUUID={values[f'ROOTFS_{letter}_PARTUUID']} " in line
        assert f" rauc.slot={letter}\n" in line and f" microkernel.data=PARTUUID={values['DATA_PARTUUID']} " in line


def test_the_backend_and_the_check_that_rauc_calls_are_there(tryboot_machine):
    _, folder = tryboot_machine
    handlers = system_conf(folder)["handlers"]
    for program in (handlers["bootloader-custom-backend"], handlers["pre-install"]):
        assert (folder / program.lstrip("/")).stat().st_mode & 0o111


def test_both_ways_of_booting_hand_the_kernel_the_same_arguments(uboot_machine, tryboot_machine):
    by_script = re.search(r'^setenv bootargs "(.+)"$', (uboot_machine[1] / "boot.cmd").read_text(), re.M).group(1).split()
    by_firmware = (tryboot_machine[1] / "cmdline-a.txt").read_text().split()
    names = [[argument.split("=")[0] for argument in line if not argument.startswith("watchdog.")] for line in (by_script, by_firmware)]
    assert names[0] == names[1]


def test_users_of_units_and_policies_are_made(machine):
    _, folder = machine
    made = set(re.findall(r"^[ug] (\S+)", (DIST / "usr/lib/sysusers.d/microkernel.conf").read_text(), re.M)) | {"root"}
    made |= {"systemd-journal"}
    for path in UNITS.glob("microkernel-*.service"):
        text = path.read_text()
        users = re.findall(r"^User=(\S+)$", text, re.M)
        assert users == [path.stem], "one user a daemon, of its name"
        loosened = UNITS / f"{path.name}.d/50-loosened.conf"
        text += loosened.read_text() if loosened.exists() else ""
        groups = " ".join(re.findall(r"^SupplementaryGroups=(.+)$", text, re.M)).split()
        assert set(users) | set(groups) <= made, path.name
    for path in (DIST / "usr/share/dbus-1/system.d").glob("*.conf"):
        assert set(re.findall(r'policy user="([^"]+)"', path.read_text())) <= made, path.name
    assert system_conf(folder)["streaming"]["sandbox-user"] in made


def test_only_the_agent_and_root_may_talk_to_rauc():
    for path in (DIST / "usr/share/dbus-1/system.d").glob("*.conf"):
        text = path.read_text()
        for policy, body in re.findall(r"<policy ([^>]+)>(.*?)</policy>", text, re.S):
            assert policy.startswith("user="), f"{path.name}: not for everybody"
            if "de.pengutronix.rauc" in body:
                assert policy in ('user="root"', 'user="microkernel-update"')


def test_every_bus_name_has_its_policy_and_the_daemon_as_owner():
    for module in ("sensor", "wasm", "ml", "uplink", "update"):
        source = (ROOT / "services/bus/src" / module / "mod.rs").read_text()
        name = re.search(r'NAME: &str = "([^"]+)"', source).group(1)
        policy = (DIST / f"usr/share/dbus-1/system.d/{name}.conf").read_text()
        assert f'<policy user="microkernel-{module}">\n    <allow own="{name}"/>' in policy


def test_every_unit_that_can_be_enabled_has_a_preset():
    presets = re.findall(r"^enable (\S+)$", (DIST / "usr/lib/systemd/system-preset/50-microkernel.preset").read_text(), re.M)
    for path in UNITS.iterdir():
        if path.is_file() and "[Install]" in path.read_text():
            assert path.name in presets, path.name


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_scripts_pass_shellcheck(rendered):
    scripts = [path for folder in (IMAGES, DIST) for path in folder.rglob("*")
               if path.is_file() and path.suffix != ".in" and re.match(rb"#!.*(ba)?sh\b|# shellcheck shell", path.read_bytes()[:40])]
    assert len(scripts) > 10
    scripts += [path for name in WITH_TRYBOOT for path in (rendered(name) / "usr/lib/rauc").iterdir()]
    done = subprocess.run(["shellcheck", "-x", *scripts], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
