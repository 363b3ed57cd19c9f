"""What the layer's recipes and the repository's tests compute alike. BitBake finds it by addpylib in conf/layer.conf."""

BBIMPORTS = ["layout", "sysusers"]
