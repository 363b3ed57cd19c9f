"""wic itself makes the disk of every machine from the layer's wks files, around a small root filesystem; sfdisk reads it back.

MICROKERNEL_WIC names the program; `make yocto` finds one. What the firmware and the kernel are is of no importance here: stand-ins.
"""

import json
import os
import subprocess

import pytest
from conftest import IMAGES, machine_values
from disk import GPT_TYPES, partitions
from test_contract_yocto import KAS_MACHINES
from uboot import Copy
from wks import filled

MIB = 1 << 20
pytestmark = pytest.mark.skipif("MICROKERNEL_WIC" not in os.environ, reason="MICROKERNEL_WIC names no wic: make yocto does")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module", params=KAS_MACHINES)
def disk(request, rendered, tmp_path_factory):
    """The values of a machine and the disk that wic makes for it."""
    machine, values = request.param, machine_values(request.param)
    folder = tmp_path_factory.mktemp(machine)
    deploy, root, sources = folder / "deploy", folder / "root", rendered(machine)
    for path in (deploy, root / "boot", root / "etc/rauc", folder / "native/sbin"):
        path.mkdir(parents=True)
    (root / "etc/rauc/system.conf").write_text((sources / "etc/rauc/system.conf").read_text())
    run("mke2fs", "-q", "-t", "ext4", "-L", "rootfs", "-O", "^has_journal", "-d", root, deploy / "image.ext4", f"{values['ROOTFS_MIB']}M")
    (deploy / "microkernel.toml").write_text((IMAGES / "boot/microkernel.toml").read_text())
    if values["BOOTLOADER"] == "uboot":
        run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", sources / "boot.cmd", deploy / "boot.scr")
        run("mkenvimage", "-r", "-s", values["ENV_SIZE"], "-o", deploy / "boot.env", sources / "boot-environment.txt")
        boot_files = "boot.scr microkernel.toml"
    else:
        (deploy / "autoboot.txt").write_text((sources / "autoboot.txt").read_text())
        slot = deploy / f"microkernel-boot-slot-{machine}.vfat"
        run("mkfs.vfat", "-C", "-n", "BOOT", slot, int(values["BOOT_SLOT_MIB"]) * 1024)
        run("mcopy", "-i", slot, sources / "cmdline-a.txt", sources / "cmdline-b.txt", sources / "config.txt", "::")
        boot_files = "autoboot.txt microkernel.toml"
    if "--sector-size" not in run("sfdisk", "--help").stdout:
        # Before util-linux 2.40 it knew one size only, which is the one that is meant.
        sfdisk = folder / "native/sbin/sfdisk"
        sfdisk.write_text('#!/bin/sh\n[ "$1 $2" != "--sector-size 512" ] || shift 2\nexec /sbin/sfdisk "$@"\n')
        sfdisk.chmod(0o755)
    wks = folder / "disk.wks"
    wks.write_text(filled(machine, IMGDEPLOYDIR=deploy, IMAGE_LINK_NAME="image"))
    (folder / "image.env").write_text("".join(f'{name}="{value}"\n' for name, value in {
        "DEPLOY_DIR_IMAGE": deploy, "IMAGE_BOOT_FILES": boot_files, "IMAGE_ROOTFS": root, "HOSTTOOLS_DIR": "/usr/sbin:/usr/bin:/sbin:/bin", "MACHINE": machine,
        "RECIPE_SYSROOT_NATIVE": folder / "native", "ROOTFS_SIZE": "8192", "STAGING_DIR": folder, "TARGET_SYS": "none",
    }.items()))
    run(os.environ["MICROKERNEL_WIC"], "create", wks, "--vars", folder, "-e", "image", "-o", folder / "out", "-n", folder / "native",
        cwd=folder, env=os.environ | {"BUILDDIR": str(folder)})
    (made,) = (folder / "out").glob("*.direct")
    return values, made


def table(made):
    return json.loads(run("sfdisk", "--json", made).stdout)["partitiontable"]


def test_the_partition_table_is_what_layout_and_machine_say(disk):
    values, made = disk
    read, sector = table(made), 512
    assert read["label"] == values["PARTITION_TABLE"]
    assert read["id"].lower().removeprefix("0x") == values["DISK_ID"]
    gpt = values["PARTITION_TABLE"] == "gpt"
    found = [(p["start"] * sector / MIB, p["size"] * sector / MIB, p["type"].upper() if gpt else p["type"]) for p in read["partitions"]]
    assert found == [(p.start, p.size, p.type) for p in partitions(values)]
    if gpt:
        assert [(p["uuid"].lower(), p["name"]) for p in read["partitions"]] == [(p.partuuid, p.name) for p in partitions(values)]
        assert set(GPT_TYPES.values()) >= {p["type"].upper() for p in read["partitions"]}
    else:
        assert [index for index, p in enumerate(read["partitions"]) if p.get("bootable")] == [0]


def test_both_copies_of_the_environment_are_those_of_a_new_device(disk):
    values, made = disk
    if values["BOOTLOADER"] != "uboot":
        pytest.skip("the firmware chooses: no environment")
    for copy in range(2):
        with open(made, "rb") as image:
            image.seek(int(values[f"ENV_OFFSET_{copy}"], 0))
            read = Copy.parse(image.read(int(values["ENV_SIZE"], 0)))
        assert read and read.variables == {"BOOT_ORDER": "A", "BOOT_A_LEFT": values["BOOT_ATTEMPTS"], "BOOT_B_LEFT": "0"}


def test_each_partition_holds_what_it_should(disk):
    values, made = disk
    at = {partition.name: partition.start * MIB for partition in partitions(values)}
    first = run("mdir", "-b", "-i", f"{made}@@{at['boot']}", "::").stdout
    assert "microkernel.toml" in first
    assert ("boot.scr" if values["BOOTLOADER"] == "uboot" else "autoboot.txt") in first
    if values["BOOTLOADER"] == "tryboot":
        assert "cmdline-b.txt" in run("mdir", "-b", "-i", f"{made}@@{at['boot-a']}", "::").stdout
    for name in ("rootfs-a", "data"):
        assert f"Filesystem volume name:   {name.removesuffix('-a')}\n" in run("dumpe2fs", "-h", f"{made}?offset={at[name]}").stdout
    assert "system.conf" in run("debugfs", "-R", "ls -p /etc/rauc", f"{made}?offset={at['rootfs-a']}").stdout
    with open(made, "rb") as image:
        image.seek(at["rootfs-b"])
        assert not any(image.read(MIB)), "slot B is empty"
