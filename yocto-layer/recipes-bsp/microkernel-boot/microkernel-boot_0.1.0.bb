SUMMARY = "Which slot boots: boot script and environment, names of the disk"
DESCRIPTION = "What images/build/render makes for this machine: the boot script and the first environment for U-Boot, or the \
files and RAUC's backend for the Raspberry Pi 5's firmware; and the udev rule that names disk and partitions."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COREBASE}/meta/COPYING.MIT;md5=3da9cfbcb788c80a0384361b4de20420"
SECTION = "bootloaders"

# meta-raspberrypi's U-Boot wants a boot script from somewhere.
PROVIDES = "${PN} u-boot-default-script"
PROVIDES:append:raspberrypi5 = " virtual/bootloader"
DEPENDS = "u-boot-mkenvimage-native u-boot-mkimage-native"
INHIBIT_DEFAULT_DEPS = "1"

inherit microkernel_render kernel-arch deploy

S = "${UNPACKDIR}"
B = "${WORKDIR}/build"

do_compile () {
	microkernel_render ${B}/rendered
	if [ "${MICROKERNEL_BOOTLOADER}" = uboot ]; then
		uboot-mkimage -A ${UBOOT_ARCH} -T script -C none -n microkernel -d ${B}/rendered/boot.cmd ${B}/boot.scr
		uboot-mkenvimage -r -s ${MICROKERNEL_ENV_SIZE} -o ${B}/boot.env ${B}/rendered/boot-environment.txt
	fi
}
do_compile[cleandirs] = "${B}"

do_install () {
	install -D -m 0644 ${B}/rendered/usr/lib/udev/rules.d/80-microkernel-disk.rules \
		${D}${nonarch_libdir}/udev/rules.d/80-microkernel-disk.rules
	if [ "${MICROKERNEL_BOOTLOADER}" = tryboot ]; then
		install -d ${D}${nonarch_libdir}/rauc
		install -m 0755 ${B}/rendered/usr/lib/rauc/tryboot ${B}/rendered/usr/lib/rauc/check-eeprom ${D}${nonarch_libdir}/rauc/
	fi
}

do_deploy () {
	install -m 0644 ${S}/images/boot/microkernel.toml ${DEPLOYDIR}/
	if [ "${MICROKERNEL_BOOTLOADER}" = uboot ]; then
		install -m 0644 ${B}/boot.scr ${B}/boot.env ${DEPLOYDIR}/
	else
		install -d ${DEPLOYDIR}/microkernel-boot
		for file in autoboot.txt config.txt cmdline-a.txt cmdline-b.txt; do
			install -m 0644 ${B}/rendered/$file ${DEPLOYDIR}/microkernel-boot/
		done
	fi
}
addtask deploy after do_compile before do_build

PACKAGE_ARCH = "${MACHINE_ARCH}"
FILES:${PN} += "${nonarch_libdir}/udev ${nonarch_libdir}/rauc"
# check-eeprom reads a number with od.
RDEPENDS:${PN}:raspberrypi5 = "coreutils"
