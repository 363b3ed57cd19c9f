# The watchdog runs from here on: a kernel that hangs before its driver is there is reset too, and pays an attempt.

FILESEXTRAPATHS:prepend := "${THISDIR}/files:"
SRC_URI:append:microkernel:rpi = " file://watchdog.cfg"
