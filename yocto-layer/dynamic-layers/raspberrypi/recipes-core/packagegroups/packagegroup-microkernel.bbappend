# The radios of each board, by name.
MICROKERNEL_WIFI_FIRMWARE:raspberrypi3 = "linux-firmware-rpidistro-bcm43430 linux-firmware-rpidistro-bcm43455"
MICROKERNEL_WIFI_FIRMWARE:raspberrypi4 = "linux-firmware-rpidistro-bcm43455 linux-firmware-rpidistro-bcm43456"
MICROKERNEL_WIFI_FIRMWARE:raspberrypi5 = "linux-firmware-rpidistro-bcm43455 linux-firmware-rpidistro-bcm43456"
