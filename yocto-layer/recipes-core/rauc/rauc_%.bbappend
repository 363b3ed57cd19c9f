# services/dist has a policy that lets root and the OTA agent only, in the place of this one that lets everybody.
do_install:append:microkernel () {
	rm ${D}${datadir}/dbus-1/system.d/de.pengutronix.rauc.conf
}
# Slots are marked good by services/dist, after the health check.
RRECOMMENDS:${PN}:remove:microkernel = "rauc-mark-good"
