"""The contract test compares for real: each of the files, changed alone, makes it fail."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

# File, what it says, what somebody might make of it without thinking of the others.
MUTATIONS = [
    ("images/layout.env", "ROOTFS_A_PARTITION=2", "ROOTFS_A_PARTITION=3"),
    ("images/layout.env", "ENV_OFFSET_1=0x800000", "ENV_OFFSET_1=0x1800000"),
    ("images/machines/raspberrypi4-64.env", "ROOTFS_B_PARTUUID=6d6b0004-03", "ROOTFS_B_PARTUUID=6d6b0004-02"),
    ("images/machines/raspberrypi2.env", "DISK_ID=6d6b0002", "DISK_ID=6d6b0004"),
    ("images/machines/raspberrypi5.env", "BOOT_B_PARTITION=3", "BOOT_B_PARTITION=7"),
    ("images/machines/raspberrypi3.env", "KERNEL=zImage", "KERNEL=Image"),
    ("images/rauc/system.conf.in", "device=/dev/microkernel/rootfs-b", "device=/dev/microkernel/rootfs-a"),
    ("images/rauc/system.conf.in", "data-directory=/data/rauc", "data-directory=/var/lib/rauc"),
    ("images/rauc/system.conf.in", "@tryboot parent=rootfs.1", "@tryboot parent=rootfs.0"),
    ("images/rauc/system.conf.in", "boot-attempts=@BOOT_ATTEMPTS@", "boot-attempts=5"),
    ("images/boot/boot.cmd.in", "rootfs_partuuid @ROOTFS_A_PARTUUID@", "rootfs_partuuid @ROOTFS_B_PARTUUID@"),
    ("images/boot/boot.cmd.in", "rootfs_partition @ROOTFS_B_PARTITION@", "rootfs_partition @ROOTFS_A_PARTITION@"),
    ("images/boot/boot.cmd.in", "env_block_1 @ENV_BLOCK_1@", "env_block_1 @ENV_BLOCK_0@"),
    ("images/boot/boot-environment.txt.in", "BOOT_ORDER=A", "BOOT_ORDER=A B"),
    ("images/boot/fw_env.config.in", "@ENV_OFFSET_1@ @ENV_SIZE@", "@ENV_OFFSET_1@ 0x2000"),
    ("images/boot/80-microkernel-disk.rules.in", '"@ROOTFS_A_PARTUUID@"', '"@ROOTFS_B_PARTUUID@"'),
    ("images/boot/80-microkernel-disk.rules.in", 'SYMLINK+="microkernel/data"', 'SYMLINK+="microkernel/state"'),
    ("images/boot/autoboot.txt.in", "boot_partition=@BOOT_A_PARTITION@", "boot_partition=@BOOT_PARTITION@"),
    ("images/boot/config.txt.in", "cmdline=cmdline-b.txt", "cmdline=cmdline-a.txt"),
    ("images/boot/cmdline.txt.in", "root=PARTUUID=@SLOT_PARTUUID@", "root=PARTUUID=@ROOTFS_A_PARTUUID@"),
    ("services/dist/usr/lib/systemd/system/data.mount", "What=/dev/microkernel/data", "What=/dev/mmcblk0p4"),
    ("services/dist/usr/lib/systemd/system/var-lib-microkernel.mount", "What=/data/microkernel/state", "What=/data/state"),
    ("services/dist/usr/lib/systemd/system/device-grow-data.service", "dev-microkernel-data.device", "dev-mmcblk0p4.device"),
    ("services/dist/usr/lib/systemd/system/device-grow-data.service", "Before=data.mount", "Before=var.mount"),
    ("services/dist/usr/lib/microkernel/grow-data", "/dev/microkernel/data)", "/dev/microkernel/rootfs-b)"),
    ("services/dist/usr/lib/microkernel/preinit", "microkernel.data=*)", "data=*)"),
    ("services/dist/usr/lib/tmpfiles.d/microkernel.conf", "d /data/rauc ", "d /data/update "),
    ("images/build/assemble", "-m 0 -L rootfs", "-m 5 -L rootfs"),
    ("yocto-layer/files/wic/microkernel-uboot.wks.in", "0x${MICROKERNEL_DISK_ID}", "0x6d6b0004"),
    ("yocto-layer/files/wic/microkernel-uboot.wks.in", "${MICROKERNEL_ENV_KIB_1}K", "${MICROKERNEL_ENV_KIB_0}K"),
    ("yocto-layer/files/wic/microkernel-uboot.wks.in", "--active", ""),
    ("yocto-layer/files/wic/microkernel-uboot.wks.in", "${MICROKERNEL_ROOTFS_MIB}M", "512M"),
    ("yocto-layer/files/wic/microkernel-tryboot.wks.in", "${MICROKERNEL_ROOTFS_A_PARTUUID}", "${MICROKERNEL_ROOTFS_B_PARTUUID}"),
    ("yocto-layer/files/wic/microkernel-tryboot.wks.in", "--part-name boot-a", "--part-name boot-b"),
    ("yocto-layer/recipes-core/images/microkernel-image.bb", "microkernel-${MICROKERNEL_BOOTLOADER}.wks.in", "microkernel-uboot.wks.in"),
    ("yocto-layer/recipes-core/bundles/microkernel-bundle_0.1.0.bb", 'SLOTS:append:raspberrypi5 = " boot"', 'SLOTS:append:raspberrypi5 = ""'),
    ("yocto-layer/recipes-core/rauc/rauc-conf.bbappend", "/rauc/keyring.pem", "/rauc/ca.cert.pem"),
    ("yocto-layer/recipes-core/base-files/base-files_%.bbappend", '" /data"', '" /mnt/data"'),
    ("yocto-layer/recipes-bsp/u-boot/files/microkernel.cfg", "CONFIG_CMD_SETEXPR=y", "# CONFIG_CMD_SETEXPR is not set"),
    ("yocto-layer/conf/layer.conf", "sensor uplink", "sensor"),
    ("yocto-layer/kas/raspberrypi5.yml", "machine: raspberrypi5", "machine: raspberrypi6"),
    ("Cargo.lock", 'name = "anyhow"\nversion = "', 'name = "anyhow"\nversion = "9'),
]


def contract(folder):
    """Runs the contract tests of a copy of the repository."""
    tests = folder / "images/tests"
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not shellcheck",
         tests / "test_contract.py", tests / "test_contract_yocto.py"],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("target", "__pycache__", "node_modules")
    for name in ("images", "services", "yocto-layer"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("kas.yml", "Cargo.toml", "Cargo.lock"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_the_copy_as_it_is_passes(repository):
    done = contract(repository)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path, said, changed", MUTATIONS, ids=[f"{path.rsplit('/')[-1]}: {said}" for path, said, _ in MUTATIONS])
def test_a_file_changed_alone_breaks_the_contract(repository, path, said, changed):
    file = repository / path
    original = file.read_text()
    assert said in original, "the test is out of date"
    file.write_text(original.replace(said, changed))
    try:
        done = contract(repository)
    finally:
        file.write_text(original)
    assert done.returncode == 1, f"nobody noticed:\n{done.stdout}"
