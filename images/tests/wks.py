"""The layer's wks files, their variables filled in as BitBake fills them."""

import re
import shlex
import sys

from conftest import IMAGES, ROOT

LAYER = ROOT / "yocto-layer"
sys.path.insert(0, str(LAYER / "lib"))
from microkernel import layout  # noqa: E402

IMAGE = (LAYER / "recipes-core/images/microkernel-image.bb").read_text()


def filled(machine, **known):
    """The text of the file that the image recipe chooses for a machine."""
    known |= layout.variables(IMAGES, machine) | {"MACHINE": machine}

    def fill(text):
        return re.sub(r"\$\{(\w+)\}", lambda match: str(known[match.group(1)]), text)

    name = re.search(r'^WKS_FILE = "(.+)"$', IMAGE, re.M).group(1)
    return fill((LAYER / "files/wic" / fill(name)).read_text())


def parsed(machine, **known):
    """The bootloader line and the partitions, each as a dictionary of its options; a flag has no text."""
    lines = [shlex.split(line, comments=True) for line in filled(machine, **known).splitlines()]
    bootloader, *parts = [_options(line[1:]) for line in lines if line]
    return bootloader, parts


def _options(words):
    found, remaining = {}, list(words)
    while remaining:
        name, _, value = remaining.pop(0).removeprefix("--").partition("=")
        if not value and remaining and not remaining[0].startswith("--"):
            value = remaining.pop(0)
        found[name] = value
    return found
