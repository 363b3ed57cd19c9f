FILESEXTRAPATHS:prepend := "${THISDIR}/files:"
SRC_URI:append:microkernel = " file://main.conf"

do_install:append:microkernel () {
	install -D -m 0644 ${UNPACKDIR}/main.conf ${D}${sysconfdir}/iwd/main.conf
}
FILES:${PN}:append:microkernel = " ${sysconfdir}/iwd"
