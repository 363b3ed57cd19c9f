# All that survives an update is mounted here. There is no fstab: mounts are units of services/dist.
dirs755:append:microkernel = " /data"
hostname:microkernel = "microkernel"

do_install:append:microkernel () {
	: >${D}${sysconfdir}/fstab
}
