# The boot environment is the boot script's own, so U-Boot's is nowhere; Linux finds it by the fw_env.config that is rendered for
# this machine, which takes the place of U-Boot's or the board's.

inherit ${@'microkernel_render' if 'microkernel' in d.getVar('DISTROOVERRIDES').split(':') else ''}

FILESEXTRAPATHS:prepend := "${THISDIR}/files:"
SRC_URI:append:microkernel = " file://microkernel.cfg"

do_configure:append:microkernel () {
	microkernel_render ${WORKDIR}/rendered
	cp ${WORKDIR}/rendered/etc/fw_env.config ${UNPACKDIR}/fw_env.config
}
