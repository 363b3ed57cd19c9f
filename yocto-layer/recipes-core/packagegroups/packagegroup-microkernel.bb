SUMMARY = "What a device is made of"
DESCRIPTION = "The services, updates, networks, and nothing that no device needs."

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup microkernel_layout

RDEPENDS:${PN} = "\
    ${PN}-services \
    ${PN}-update \
    ${PN}-network \
    kernel-modules \
    polkit \
    tzdata-core \
"

SUMMARY:${PN}-services = "The services of the workspace"
PACKAGES =+ "${PN}-services"
RDEPENDS:${PN}-services = "${@' '.join('microkernel-%s' % name for name in d.getVar('MICROKERNEL_SERVICES').split())}"

SUMMARY:${PN}-update = "Updates: RAUC, and what chooses the slot"
PACKAGES =+ "${PN}-update"
RDEPENDS:${PN}-update = "\
    microkernel-boot \
    rauc \
    rauc-conf \
    rauc-service \
    ${@'kernel-image libubootenv-bin u-boot-env' if d.getVar('MICROKERNEL_BOOTLOADER') == 'uboot' else ''} \
"

SUMMARY:${PN}-network = "Wireless networks; wired ones are networkd's"
PACKAGES =+ "${PN}-network"
RDEPENDS:${PN}-network = "${@bb.utils.contains('COMBINED_FEATURES', 'wifi', 'iwd wireless-regdb-static', '', d)} ${MICROKERNEL_WIFI_FIRMWARE}"
# The radio's firmware otherwise comes by packagegroup-base, with much that no device needs.
MICROKERNEL_WIFI_FIRMWARE = ""
