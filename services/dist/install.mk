# Installs the device's part of the root filesystem: make install DESTDIR=… [BINDIR=…] [DAEMONS="sensor uplink"]
#
# The virtual device's image and the Yocto recipe both go through this target. It only copies: users are made by
# systemd-sysusers and units are enabled by systemctl preset-all, by whoever makes the image.

DIST := $(dir $(lastword $(MAKEFILE_LIST)))
# Where the programs were built, and which of them this image gets.
BINDIR ?= target/release
DAEMONS ?= sensor uplink update health provision

.PHONY: install
install: ## Install services, units and policies below DESTDIR (programs from BINDIR)
	@test -n "$(DESTDIR)" || { echo "make install: say where to, for example DESTDIR=/tmp/root; it is meant for an image" >&2; exit 2; }
	cd $(DIST) && find usr -type d -exec install -d -m 0755 "$(abspath $(DESTDIR))/{}" \;
	cd $(DIST) && find usr -type f ! -perm -u+x -exec install -m 0644 {} "$(abspath $(DESTDIR))/{}" \;
	cd $(DIST) && find usr -type f -perm -u+x -exec install -m 0755 {} "$(abspath $(DESTDIR))/{}" \;
	install -d -m 0755 $(DESTDIR)/usr/bin $(DESTDIR)/usr/share/dbus-1/interfaces
	for daemon in $(DAEMONS); do install -m 0755 $(BINDIR)/microkernel-$$daemon $(DESTDIR)/usr/bin/ || exit 1; done
	for interface in $(wildcard $(DIST)../bus/interfaces/*.xml); do install -m 0644 $$interface $(DESTDIR)/usr/share/dbus-1/interfaces/ || exit 1; done
