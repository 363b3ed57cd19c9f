"""The Yocto layer says the same as images/ and services/dist: disk, boot, RAUC, packages. Without BitBake: by reading."""

import re
import shlex

import pytest
from conftest import DIST, IMAGES, ROOT, machine_values
from disk import partitions
from wks import IMAGE, LAYER, parsed
from microkernel import crates, layout, sysusers  # wks knows where they are

UNITS = DIST / "usr/lib/systemd/system"
KAS_FILES = [ROOT / "kas.yml", *(path for path in (LAYER / "kas").glob("*.yml") if re.search(r"^machine:", path.read_text(), re.M))]
KAS_MACHINES = sorted(re.search(r"^machine: (\S+)$", path.read_text(), re.M).group(1) for path in KAS_FILES)
BUNDLE = (LAYER / "recipes-core/bundles/microkernel-bundle_0.1.0.bb").read_text()
LAYER_CONF = (LAYER / "conf/layer.conf").read_text()
SERVICES = re.search(r'^MICROKERNEL_SERVICES \?= "(.+)"$', LAYER_CONF, re.M).group(1).split()


def wks(machine):
    return parsed(machine, IMGDEPLOYDIR="/deploy", IMAGE_LINK_NAME="image")


@pytest.fixture(params=KAS_MACHINES)
def machine(request):
    return request.param


def test_every_machine_of_kas_has_its_disk_described(machine):
    assert (IMAGES / "machines" / f"{machine}.env").exists()
    assert machine_values(machine)["MACHINE"] == machine


def test_the_layer_reads_the_values_as_render_does(machine):
    assert {name: value for name, value in layout.values(IMAGES, machine).items() if not name.startswith("ENV_KIB")} \
        == machine_values(machine)


def test_wic_makes_the_partitions_in_their_order_and_size(machine):
    values = machine_values(machine)
    bootloader, parts = wks(machine)
    gpt = values["PARTITION_TABLE"] == "gpt"
    assert bootloader["ptable"] == ("gpt" if gpt else "msdos")
    assert bootloader["diskid"] == (values["DISK_ID"] if gpt else f"0x{values['DISK_ID']}")
    table = [part for part in parts if "no-table" not in part]
    expected = partitions(values)
    assert len(table) == len(expected)
    assert table[0]["offset"] == f"{expected[0].start}M"
    for part, partition in zip(table, expected):
        assert part["fixed-size"] == f"{partition.size}M", partition
        if partition is not expected[0]:
            assert part["align"] == "1024", "right behind the one before"
        if gpt:
            assert (part["part-type"], part["uuid"], part["part-name"]) == (partition.type, partition.partuuid, partition.name)
        else:
            assert int(part["system-id"], 0) == int(partition.type, 16), partition


def test_what_is_on_the_partitions_of_a_new_disk(machine):
    values = machine_values(machine)
    _, parts = wks(machine)
    contents = dict(zip((partition.name for partition in partitions(values)), (part for part in parts if "no-table" not in part)))
    assert contents["boot"]["source"] == "bootimg_partition"
    if values["PARTITION_TABLE"] == "dos":
        assert "active" in contents["boot"], "how U-Boot finds the boot script"
    assert contents["rootfs-a"]["sourceparams"] == "file=/deploy/image.ext4", "the file that is in the bundle too"
    assert contents["rootfs-b"]["source"] == "empty"
    assert contents["data"]["fstype"] == "ext4" and "source" not in contents["data"]
    if values["BOOTLOADER"] == "tryboot":
        slot_file = re.search(r'^RAUC_SLOT_boot\[file\] = "(.+)"$', BUNDLE, re.M).group(1).replace("${MACHINE}", machine)
        assert contents["boot-a"]["sourceparams"] == f"file={slot_file}"
        assert contents["boot-b"]["source"] == "empty"


def test_wic_puts_the_environment_where_the_boot_script_reads_it(machine):
    values = machine_values(machine)
    _, parts = wks(machine)
    copies = [part for part in parts if "no-table" in part]
    if values["BOOTLOADER"] == "tryboot":
        assert not copies
        return
    assert [part["offset"] for part in copies] == [f"{int(values[f'ENV_OFFSET_{n}'], 0) // 1024}K" for n in range(2)]
    assert {part["sourceparams"] for part in copies} == {"file=boot.env"}
    recipe = (LAYER / "recipes-bsp/microkernel-boot/microkernel-boot_0.1.0.bb").read_text()
    assert "uboot-mkenvimage -r -s ${MICROKERNEL_ENV_SIZE} -o ${B}/boot.env ${B}/rendered/boot-environment.txt" in recipe


def test_the_root_filesystem_is_made_as_the_virtual_devices(machine):
    assert 'IMAGE_ROOTFS_SIZE = "${@int(d.getVar(\'MICROKERNEL_ROOTFS_MIB\') or 0) * 1024}"' in IMAGE
    ours = shlex.split(re.search(r'^EXTRA_IMAGECMD:ext4 = "(.+?)"$', IMAGE, re.M | re.S).group(1).replace("\\\n", " "))
    virtual = (IMAGES / "build/assemble").read_text()
    theirs = shlex.split(re.search(r"mke2fs -q -t ext4 (.+?)-d ", virtual, re.S).group(1).replace("\\\n", " "))
    assert ours == theirs


def test_the_bundle_fits_the_slots_of_rauc(machine, rendered):
    conf = (rendered(machine) / "etc/rauc/system.conf").read_text()
    slots = set(re.findall(r"^\[slot\.(\w+)\.\d\]$", conf, re.M))
    bundled = set(re.search(r'^RAUC_BUNDLE_SLOTS = "(.+)"$', BUNDLE, re.M).group(1).split())
    bundled |= set(" ".join(re.findall(rf'^RAUC_BUNDLE_SLOTS:append:{machine} = "(.+)"$', BUNDLE, re.M)).split())
    assert bundled == slots
    for slot in slots:
        assert f'RAUC_SLOT_{slot}[adaptive] = "block-hash-index"' in BUNDLE
    assert 'RAUC_BUNDLE_COMPATIBLE = "${MICROKERNEL_COMPATIBLE}"' in BUNDLE
    assert 'RAUC_BUNDLE_FORMAT = "verity"' in BUNDLE
    assert f"compatible={machine_values(machine)['COMPATIBLE']}\n" in conf


def test_the_keyring_is_where_rauc_looks_for_it(machine, rendered):
    conf = (rendered(machine) / "etc/rauc/system.conf").read_text()
    path = re.search(r"^\[keyring\]\npath=/etc(/\S+)$", conf, re.M).group(1)
    recipe = (LAYER / "recipes-core/rauc/rauc-conf.bbappend").read_text()
    assert f"${{RAUC_KEYRING_FILE}} ${{D}}${{sysconfdir}}{path}" in recipe
    assert "${D}${sysconfdir}/rauc/system.conf" in recipe


def test_u_boot_has_the_commands_that_the_boot_script_calls():
    script = (IMAGES / "boot/boot.cmd.in").read_text()
    fragment = (LAYER / "recipes-bsp/u-boot/files/microkernel.cfg").read_text()
    for call, option in {
        "setexpr ": "CMD_SETEXPR", "env import -c": "CMD_IMPORTENV", "env export -c": "CMD_EXPORTENV", "cp.b ": "CMD_MEMORY",
        "if test ": "HUSH_PARSER", "load ${devtype}": "CMD_FS_GENERIC", "rootfstype=ext4": "CMD_EXT4", "sleep ": "CMD_SLEEP",
    }.items():
        assert call in script and f"CONFIG_{option}=y\n" in fragment, option
    assert "CONFIG_ENV_IS_NOWHERE=y\n" in fragment, "the script keeps the environment itself"


def test_the_kernel_is_what_the_boot_script_starts(machine):
    values = machine_values(machine)
    if values["BOOTLOADER"] == "uboot":
        assert (values["BOOT_COMMAND"], values["KERNEL"]) in {("booti", "Image"), ("bootz", "zImage")}
        arm = machine in ("raspberrypi2", "raspberrypi3")
        assert (values["KERNEL"] == "zImage") == arm, "64-bit kernels have no zImage, 32-bit ones no Image that bootz takes"
    distro = (LAYER / "conf/distro/include/microkernel.inc").read_text()
    assert 'KERNEL_IMAGETYPE_UBOOT:arm = "zImage"' in distro


def test_the_image_mounts_nothing_but_by_units():
    base_files = (LAYER / "recipes-core/base-files/base-files_%.bbappend").read_text()
    where = re.search(r"^Where=(\S+)$", (UNITS / "data.mount").read_text(), re.M).group(1)
    assert f'dirs755:append:microkernel = " {where}"' in base_files
    assert ": >${D}${sysconfdir}/fstab" in base_files


def test_every_program_of_the_workspace_is_in_the_image():
    """One variable lists them: a service that joins the workspace has to be added there."""
    members = re.findall(r'^    "services/(\w+)",$', (ROOT / "Cargo.toml").read_text(), re.M)
    programs = {name for name in members if (ROOT / f"services/{name}/src/main.rs").exists()} - {"demo"}
    assert set(SERVICES) == programs


def test_every_unit_of_a_service_has_its_service():
    """Units whose program does not exist yet start when it does; the others must be in the image."""
    waiting = {"wasm", "ml"}
    named = {path.stem.removeprefix("microkernel-") for path in UNITS.glob("microkernel-*.service")}
    assert named - waiting <= set(SERVICES)


def test_the_crates_of_the_recipe_are_those_of_the_lock_file():
    lock = (ROOT / "Cargo.lock").read_text()
    generated = (LAYER / "recipes-core/microkernel-services/microkernel-services-crates.inc").read_text()
    assert generated == crates.render(lock), "run make yocto-crates and commit the result"


def test_users_are_made_with_the_numbers_of_services_dist():
    groups, users, members = sysusers.parameters(DIST / "usr/lib/sysusers.d/microkernel.conf")
    assert "--system --gid 410 microkernel-identity" in groups.split("; ")
    assert any(user.startswith("--system --uid 403 --gid 403 ") and user.endswith(" microkernel-uplink") for user in users.split("; "))
    assert "--add microkernel-uplink --group microkernel-identity" in members.split("; ")


def test_a_mistake_in_sysusers_is_named(tmp_path):
    path = tmp_path / "users.conf"
    path.write_text('# fine\nu someone - "no number"\n')
    with pytest.raises(ValueError, match="users.conf:2: expected"):
        sysusers.parameters(path)


def test_appends_to_others_recipes_change_nothing_without_our_distro():
    for path in LAYER.rglob("*.bbappend"):
        if "microkernel" in path.name:
            continue
        for line in path.read_text().splitlines():
            if re.match(r"[\w:${}]+\s*[?+.]*=|do_\w+.*\{", line) and not line.startswith("FILESEXTRAPATHS:prepend"):
                assert ":microkernel" in line, f"{path.name}: {line}"
