# qemuarm64.

FILESEXTRAPATHS:prepend := "${THISDIR}/files:"
SRC_URI:append:microkernel = " file://microkernel.cfg file://qemu-watchdog.cfg"
