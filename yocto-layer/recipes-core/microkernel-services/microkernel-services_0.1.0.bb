SUMMARY = "The device's services, and the rest of its part of the root filesystem"
DESCRIPTION = "The Rust workspace, built once and split into a package a service, and services/dist: units, bus policies, \
users and default configuration."
SECTION = "base"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=57e47fdbce49a409aea708aacbce7f5b"

require ${BPN}-crates.inc

# The workspace that this layer is a folder of. A release that is built from elsewhere names a git:// URL and its SRCREV instead.
# Cargo reads every member's manifest before it builds any, so those that no device gets are here too.
FILESEXTRAPATHS:prepend := "${MICROKERNEL_SOURCE}:"
SRC_URI += "\
    file://Cargo.toml \
    file://Cargo.lock \
    file://LICENSE \
    file://services \
    file://server/Cargo.toml \
    file://server/src \
"

S = "${UNPACKDIR}"

inherit cargo cargo-update-recipe-crates systemd useradd

CARGO_BUILD_FLAGS += "${@' '.join('--package microkernel-%s' % name for name in d.getVar('MICROKERNEL_SERVICES').split())}"

# services/dist is installed as into the virtual device.
do_install () {
	oe_runmake -f ${S}/services/dist/install.mk install DESTDIR=${D} BINDIR=${B}/target/${CARGO_TARGET_SUBDIR} \
		DAEMONS="${MICROKERNEL_SERVICES}"
}

# On the building machine, where `make yocto` compiles it as a proof: the programs only.
do_install:class-native () {
	cargo_do_install
}

# Users are made with the root filesystem, since that is read-only; by what sysusers.d says, so that numbers have one home.
MICROKERNEL_SYSUSERS = "${MICROKERNEL_SOURCE}/services/dist/usr/lib/sysusers.d/microkernel.conf"
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "${@microkernel.sysusers.parameters(d.getVar('MICROKERNEL_SYSUSERS'))[0]}"
USERADD_PARAM:${PN} = "${@microkernel.sysusers.parameters(d.getVar('MICROKERNEL_SYSUSERS'))[1]}"
GROUPMEMS_PARAM:${PN} = "${@microkernel.sysusers.parameters(d.getVar('MICROKERNEL_SYSUSERS'))[2]}"

# A package a service: its program, its units, its policy on the bus. What all share is in ${PN}.
python () {
    bb.parse.mark_dependency(d, d.getVar("MICROKERNEL_SYSUSERS"))
    if bb.data.inherits_class("native", d):
        return
    units = d.expand("${MICROKERNEL_SOURCE}/services/dist/usr/lib/systemd/system")
    for name in d.getVar("MICROKERNEL_SERVICES").split():
        package = "microkernel-" + name
        d.setVar("SUMMARY:" + package, "The service " + package)
        # Not every program is a service of its own: some are called by a unit that all devices have.
        if os.path.exists(os.path.join(units, package + ".service")):
            d.appendVar("SYSTEMD_PACKAGES", " " + package)
            d.setVar("SYSTEMD_SERVICE:" + package, package + ".service")
        d.setVar("FILES:" + package, " ".join((
            "${bindir}/" + package,
            "${systemd_system_unitdir}/%s.service" % package,
            "${systemd_system_unitdir}/%s.service.d" % package,
            "${systemd_system_unitdir}/%s.path" % package,
            "${datadir}/dbus-1/*/io.microkernel.%s1.*" % name.capitalize(),
        )))
        d.setVar("RDEPENDS:" + package, "${PN}")
}
PACKAGE_BEFORE_PN = "${@' '.join('microkernel-%s' % name for name in d.getVar('MICROKERNEL_SERVICES').split())}"
FILES:${PN} += "\
    ${nonarch_libdir}/microkernel \
    ${nonarch_libdir}/modules-load.d \
    ${nonarch_libdir}/sysusers.d \
    ${nonarch_libdir}/tmpfiles.d \
    ${systemd_unitdir} \
    ${datadir}/dbus-1 \
    ${datadir}/polkit-1 \
"
# The scripts of services/dist, and what they call.
RDEPENDS:${PN} += "\
    coreutils \
    e2fsprogs-e2fsck \
    e2fsprogs-mke2fs \
    sed \
    util-linux-flock \
    util-linux-mount \
    util-linux-resizepart \
    util-linux-sfdisk \
    util-linux-umount \
"
# By services/dist's presets, as on the virtual device.
SYSTEMD_PACKAGES = "${PN}"
SYSTEMD_SERVICE:${PN} = "microkernel.target"

BBCLASSEXTEND = "native"
