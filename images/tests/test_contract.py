"""Partition layout, RAUC, boot script, mounts, udev and fw_env.config are different files that must say the same."""

import configparser
import re
import subprocess

import pytest
from conftest import DIST, IMAGES, MACHINES, ROOT, read_env

UNITS = DIST / "usr/lib/systemd/system"


@pytest.fixture(params=MACHINES)
def machine(request, rendered):
    return read_env(IMAGES / "machines" / f"{request.param}.env"), rendered(request.param)


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


def test_the_slots_of_rauc_are_the_partitions_that_the_boot_script_boots(machine):
    values, folder = machine
    conf, names, script = system_conf(folder), udev_names(folder), (folder / "boot.cmd").read_text()
    slots = {conf[section]["bootname"]: conf[section]["device"] for section in conf if section.startswith("slot.")}
    booted = dict(re.findall(r"setenv rootfs_partuuid (\S+)\n", script) and re.findall(
        r"setenv rootfs_partition (\d)\n\tsetenv rootfs_partuuid (\S+)\n", script))
    layout = read_env(IMAGES / "layout.env")
    for letter in "AB":
        uuid = values[f"ROOTFS_{letter}_PARTUUID"]
        assert names[slots[letter]] == ("ID_PART_ENTRY_UUID", uuid)
        assert booted[layout[f"ROOTFS_{letter}_PARTITION"]] == uuid


def test_slot_a_is_what_the_script_boots_as_a(machine):
    values, folder = machine
    script = (folder / "boot.cmd").read_text()
    chosen = re.search(r"if test \$\{slot\} = A; then\n.*?rootfs_partuuid (\S+)\nelse\n.*?rootfs_partuuid (\S+)\n", script, re.S)
    assert chosen.groups() == (values["ROOTFS_A_PARTUUID"], values["ROOTFS_B_PARTUUID"])


def test_linux_and_u_boot_read_the_same_bytes_as_the_environment(machine, layout):
    _, folder = machine
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


def test_attempts_are_counted_alike(machine, layout):
    _, folder = machine
    assert system_conf(folder)["system"]["boot-attempts"] == layout["BOOT_ATTEMPTS"]
    assert f"setenv BOOT_A_LEFT {layout['BOOT_ATTEMPTS']}\n" in (folder / "boot.cmd").read_text()


def test_an_mbr_partition_is_identified_as_the_kernel_does(machine, layout):
    values, _ = machine
    if values["PARTITION_TABLE"] != "dos":
        pytest.skip("GPT: identifiers of their own")
    for name in ("BOOT", "ROOTFS_A", "ROOTFS_B", "DATA"):
        assert values[f"{name}_PARTUUID"] == f"{values['DISK_ID']}-{int(layout[f'{name}_PARTITION']):02}"


def test_machines_differ_in_compatible_and_disk():
    for key in ("MACHINE", "COMPATIBLE", "DISK_ID"):
        values = [read_env(IMAGES / "machines" / f"{machine}.env")[key] for machine in MACHINES]
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


def test_the_kernel_is_told_where_the_data_partition_is(machine):
    values, folder = machine
    assert f"microkernel.data=PARTUUID={values['DATA_PARTUUID']} " in (folder / "boot.cmd").read_text()


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


def test_scripts_pass_shellcheck():
    scripts = [path for folder in (IMAGES, DIST) for path in folder.rglob("*")
               if path.is_file() and re.match(rb"#!.*(ba)?sh\b|# shellcheck shell", path.read_bytes()[:40])]
    assert len(scripts) > 10
    done = subprocess.run(["shellcheck", "-x", *scripts], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
