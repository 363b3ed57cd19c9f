SUMMARY = "The signed update of a device"
DESCRIPTION = "A RAUC bundle of the root filesystem (verity, adaptive), signed for code signing."
LICENSE = "MIT"

inherit bundle microkernel_layout microkernel_pki

RAUC_BUNDLE_COMPATIBLE = "${MICROKERNEL_COMPATIBLE}"
RAUC_BUNDLE_VERSION = "${DISTRO_VERSION}"
# Signed, and checked block by block while it is streamed.
RAUC_BUNDLE_FORMAT = "verity"
BUNDLE_ARGS = "--keyring=${RAUC_KEYRING_FILE} --mksquashfs-args='-comp zstd -Xcompression-level 15'"

RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "microkernel-image"
RAUC_SLOT_rootfs[fstype] = "ext4"
RAUC_SLOT_rootfs[rename] = "rootfs.ext4"
# Blocks that the device has already are not downloaded.
RAUC_SLOT_rootfs[adaptive] = "block-hash-index"

# The kernel and what else the Raspberry Pi 5's firmware loads: it reads FAT only.
RAUC_BUNDLE_SLOTS:append:raspberrypi5 = " boot"
RAUC_SLOT_boot = "microkernel-boot-slot"
RAUC_SLOT_boot[type] = "boot"
RAUC_SLOT_boot[file] = "microkernel-boot-slot-${MACHINE}.vfat"
RAUC_SLOT_boot[imagetype] = "raw"
RAUC_SLOT_boot[rename] = "boot.img"
RAUC_SLOT_boot[adaptive] = "block-hash-index"

# The same as BUILD_ID in the image's os-release.
python microkernel_read_build_id () {
    path = d.expand("${DEPLOY_DIR_IMAGE}/microkernel-image-${MACHINE}.rootfs.build-id")
    with open(path) as file:
        d.setVar("RAUC_BUNDLE_BUILD", file.read().strip())
}
do_configure[prefuncs] += "microkernel_read_build_id"

# A pkcs11: URI is no file whose contents could be compared.
do_bundle[file-checksums] = ""
do_bundle[prefuncs] += "microkernel_pki"
