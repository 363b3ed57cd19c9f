# The keys of bundles: those of a release, which BUNDLE_CERT, BUNDLE_KEY and BUNDLE_KEYRING name (files, or pkcs11: URIs for the first
# two), or development keys, made in the build folder on first use and never committed. See images/README.md.

MICROKERNEL_PKI ?= "${TOPDIR}/pki"
RAUC_CERT_FILE = "${@d.getVar('BUNDLE_CERT') or '${MICROKERNEL_PKI}/signer.pem'}"
RAUC_KEY_FILE = "${@d.getVar('BUNDLE_KEY') or '${MICROKERNEL_PKI}/signer.key'}"
RAUC_KEYRING_FILE = "${@d.getVar('BUNDLE_KEYRING') or '${MICROKERNEL_PKI}/ca.pem'}"

DEPENDS += "openssl-native"

# Two recipes call it, possibly at the same time.
microkernel_pki () {
	if [ -z "${BUNDLE_KEYRING}" ]; then
		MICROKERNEL_PKI=${MICROKERNEL_PKI} flock ${TOPDIR}/pki.lock bash ${MICROKERNEL_SOURCE}/images/pki/make >/dev/null
	fi
}

# Another keyring under the same name is another configuration of RAUC.
python () {
    keyring = d.getVar("BUNDLE_KEYRING")
    if keyring:
        d.appendVarFlag("do_install", "file-checksums", " %s:True" % keyring)
}
