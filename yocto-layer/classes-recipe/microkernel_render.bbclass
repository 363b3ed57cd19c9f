# Renders the templates below images/ for MACHINE, by the same program as for the virtual device: microkernel_render DIRECTORY.

inherit microkernel_layout

FILESEXTRAPATHS:prepend := "${MICROKERNEL_SOURCE}:"

# Named one by one: what is not in this list is no input of the recipe, and a change to it builds nothing anew.
SRC_URI += "\
    file://images/build/render \
    file://images/layout.env \
    file://images/machines/${MACHINE}.env \
    file://images/boot \
    file://images/rauc \
"

microkernel_render () {
	bash ${UNPACKDIR}/images/build/render ${MACHINE} "$1"
}
