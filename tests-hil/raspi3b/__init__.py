"""QEMU's Raspberry Pi 3: a kernel of Debian, our sensor service's program, a TMP105 on /dev/i2c-1."""
