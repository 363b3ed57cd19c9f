# What the server and RAUC know a system by. BUILD_ID is a hash of the root filesystem, so the image adds it; see microkernel-image.
OS_RELEASE_FIELDS:append:microkernel = " VARIANT_ID"
ID:microkernel = "microkernel"
VARIANT_ID:microkernel = "production"
VARIANT_ID:microkernel-dev = "development"
