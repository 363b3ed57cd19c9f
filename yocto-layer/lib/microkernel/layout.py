"""The disk of a machine: what images/layout.env and images/machines/MACHINE.env say, under the names that wks files use."""

from pathlib import Path


def files(images, machine):
    """The files that values() reads."""
    return [Path(images, "layout.env"), Path(images, "machines", f"{machine}.env")]


def read(path):
    """KEY=VALUE lines without quotes or expansion; # begins a comment line."""
    lines = (line for line in Path(path).read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def values(images, machine):
    """All values of a machine. What both files say, the machine decides, as in images/build/render."""
    found = {}
    for path in files(images, machine):
        found |= read(path)
    for copy in range(2):
        # wic counts offsets in KiB.
        found[f"ENV_KIB_{copy}"] = str(int(found[f"ENV_OFFSET_{copy}"], 0) // 1024)
    return found


def variables(images, machine):
    """The same as BitBake variables."""
    return {f"MICROKERNEL_{name}": value for name, value in values(images, machine).items()}
