SUMMARY = "The system of a device: a slot's root filesystem, and the disk that it ships on"
DESCRIPTION = "A read-only root filesystem for a slot, and the disk with boot partition, slots and data for a new device."
LICENSE = "MIT"

inherit core-image microkernel_layout

IMAGE_FEATURES = "read-only-rootfs"
IMAGE_FEATURES:append:microkernel-dev = " ssh-server-openssh allow-root-login allow-empty-password empty-root-password"
IMAGE_INSTALL = "packagegroup-core-boot packagegroup-microkernel"
IMAGE_LINGUAS = ""

# -- The file system of a slot: as large as the slot, without a journal (it is read-only), with fixed identifiers. The bundle and the
# disk have the same one, so that a device's first update is already a difference.
IMAGE_FSTYPES = "ext4 wic.zst wic.bmap"
IMAGE_TYPEDEP:wic = "ext4"
IMAGE_ROOTFS_SIZE = "${@int(d.getVar('MICROKERNEL_ROOTFS_MIB') or 0) * 1024}"
IMAGE_ROOTFS_MAXSIZE = "${IMAGE_ROOTFS_SIZE}"
IMAGE_ROOTFS_EXTRA_SPACE = "0"
IMAGE_OVERHEAD_FACTOR = "1.0"
EXTRA_IMAGECMD:ext4 = "-b 4096 -m 0 -L rootfs -O ^has_journal,^orphan_file,^resize_inode \
    -U 6d6b0000-0000-4000-8000-00000000f500 -E hash_seed=6d6b0000-0000-4000-8000-00000000f501,lazy_itable_init=0"

# -- The disk.
WKS_FILE = "microkernel-${MICROKERNEL_BOOTLOADER}.wks.in"
do_image_wic[depends] += "microkernel-boot:do_deploy"
EXTRA_IMAGEDEPENDS += "virtual/bootloader"
# What goes onto the first partition: with U-Boot all that the firmware loads, but the kernel, which is in the slot.
RPI_EXTRA_IMAGE_BOOT_FILES = "u-boot.bin;${SDIMG_KERNELIMAGE} boot.scr microkernel.toml"
IMAGE_BOOT_FILES:qemuarm64 = "boot.scr microkernel.toml"
IMAGE_BOOT_FILES:raspberrypi5 = "microkernel-boot/autoboot.txt;autoboot.txt microkernel.toml"
do_image_wic[depends] += "${@'microkernel-boot-slot:do_deploy' if d.getVar('MACHINE') == 'raspberrypi5' else ''}"

# -- What the image adds to its packages.
# The clock never starts before the day that the source is of.
REPRODUCIBLE_TIMESTAMP_ROOTFS = "${@microkernel_source_date(d)}"

def microkernel_source_date(d):
    """Unix seconds of the last commit; outside of a git repository a day before this layer was used first."""
    source = d.getVar("MICROKERNEL_SOURCE")
    try:
        return bb.process.run(["git", "-c", "safe.directory=*", "-C", source, "log", "-1", "--format=%ct"])[0].strip()
    except bb.process.CmdError:
        return "1767225600"

ROOTFS_POSTPROCESS_COMMAND:append = " microkernel_presets"
microkernel_presets () {
	# Packages enable their services as they are installed. What a device runs is said in one place: services/dist's presets.
	systemctl --root=${IMAGE_ROOTFS} preset-all
	if [ -e ${IMAGE_ROOTFS}${systemd_system_unitdir}/sshd.socket ]; then
		systemctl --root=${IMAGE_ROOTFS} enable sshd.socket
	fi
	# systemd-resolved's, whatever the packages think of it.
	ln -sf ../run/systemd/resolve/stub-resolv.conf ${IMAGE_ROOTFS}${sysconfdir}/resolv.conf
	touch ${IMAGE_ROOTFS}${nonarch_libdir}/clock-epoch
}

ROOTFS_POSTPROCESS_COMMAND:append:microkernel-dev = " microkernel_development_shell"
microkernel_development_shell () {
	cp -R --no-preserve=ownership ${MICROKERNEL_SOURCE}/images/development/. ${IMAGE_ROOTFS}/
	rm ${IMAGE_ROOTFS}${nonarch_libdir}/microkernel/config.d/20-simulated-sensors.toml
}

# What identifies a build is what is in it. Last, and left beside the image for the bundle.
IMAGE_PREPROCESS_COMMAND:append = " microkernel_build_id"
microkernel_build_id () {
	build=$(tar -C ${IMAGE_ROOTFS} --sort=name --mtime=@0 --pax-option=delete=atime,delete=ctime -cf - . | sha256sum | cut -c1-16)
	printf 'IMAGE_ID=%s\nIMAGE_VERSION=%s\nBUILD_ID=%s\n' ${MICROKERNEL_COMPATIBLE} ${DISTRO_VERSION} $build \
		>>${IMAGE_ROOTFS}${nonarch_libdir}/os-release
	touch -d "@${REPRODUCIBLE_TIMESTAMP_ROOTFS}" ${IMAGE_ROOTFS}${nonarch_libdir}/os-release
	echo $build >${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.build-id
}
