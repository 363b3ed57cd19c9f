# RAUC's configuration for this machine, rendered as for the virtual device, and the certificate that bundles are verified against.

inherit ${@'microkernel_render microkernel_pki' if 'microkernel' in d.getVar('DISTROOVERRIDES').split(':') else ''}

# The certificate is made or named when this is built, not fetched.
RAUC_KEYRING_URI:microkernel = ""
PACKAGE_ARCH:microkernel = "${MACHINE_ARCH}"

do_install:microkernel () {
	microkernel_pki
	microkernel_render ${WORKDIR}/rendered
	install -D -m 0644 ${WORKDIR}/rendered${sysconfdir}/rauc/system.conf ${D}${sysconfdir}/rauc/system.conf
	install -m 0644 ${RAUC_KEYRING_FILE} ${D}${sysconfdir}/rauc/keyring.pem
}
