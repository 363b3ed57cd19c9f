SUMMARY = "What the Raspberry Pi 5's firmware loads for a slot, as an image of its FAT partition"
DESCRIPTION = "Kernel, device trees, overlays and configuration for tryboot; RAUC installs it together with the root filesystem."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COREBASE}/meta/COPYING.MIT;md5=3da9cfbcb788c80a0384361b4de20420"
SECTION = "bootloaders"

COMPATIBLE_MACHINE = "^raspberrypi5$"

DEPENDS = "dosfstools-native mtools-native"
INHIBIT_DEFAULT_DEPS = "1"

inherit microkernel_layout deploy nopackages

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

# The board's own list (kernel, device trees, overlays, configuration), as wic would put it on a boot partition, and the choice of
# the command line by slot at the end of its config.txt.
python do_compile () {
    import shutil
    import subprocess
    from pathlib import Path
    import oe.bootfiles

    deployed, tree = Path(d.getVar("DEPLOY_DIR_IMAGE")), Path(d.getVar("B"), "boot")
    ours = deployed / "microkernel-boot"
    for source, target in oe.bootfiles.get_boot_files(str(deployed), d.getVar("IMAGE_BOOT_FILES")):
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(deployed / source, tree / target)
    with open(tree / "config.txt", "a") as config:
        config.write((ours / "config.txt").read_text())
    # It would hide the two that name their slot.
    (tree / "cmdline.txt").unlink(missing_ok=True)
    for name in ("cmdline-a.txt", "cmdline-b.txt"):
        shutil.copy(ours / name, tree / name)

    image = Path(d.getVar("B"), "boot.vfat")
    with open(image, "wb") as file:
        file.truncate(int(d.getVar("MICROKERNEL_BOOT_SLOT_MIB")) << 20)
    subprocess.run(["mkfs.vfat", "--invariant", "-n", "BOOT", "-i", "6d6b0002", image], check=True)
    subprocess.run(["mcopy", "-s", "-m", "-i", image, *sorted(tree.iterdir()), "::"], check=True)
}
do_compile[cleandirs] = "${B}"
do_compile[depends] += "virtual/kernel:do_deploy rpi-bootfiles:do_deploy microkernel-boot:do_deploy"

do_deploy () {
	install -m 0644 ${B}/boot.vfat ${DEPLOYDIR}/${PN}-${MACHINE}.vfat
}
addtask deploy after do_compile before do_build

PACKAGE_ARCH = "${MACHINE_ARCH}"
