# services/dist says how wired networks are configured, under the same file name.
PACKAGECONFIG:remove:microkernel = "dhcp-ethernet"
