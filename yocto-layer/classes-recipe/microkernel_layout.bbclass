# The disk of MACHINE as variables MICROKERNEL_NAME, from images/layout.env and images/machines/MACHINE.env, for recipes and wks files.

python () {
    images = d.expand("${MICROKERNEL_SOURCE}/images")
    machine = d.getVar("MACHINE")
    for path in microkernel.layout.files(images, machine):
        bb.parse.mark_dependency(d, str(path))
        if not path.exists():
            raise bb.parse.SkipRecipe("%s is missing: no disk is described for MACHINE %s" % (path, machine))
    for name, value in microkernel.layout.variables(images, machine).items():
        # U-Boot's own variables are not BitBake's.
        if "${" not in value:
            d.setVar(name, value)
}
