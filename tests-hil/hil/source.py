"""Where things are in the source tree, and what its KEY=VALUE files say."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "images"


def target_dir():
    """Where cargo and the image's build put what they make."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def image_dir(machine):
    """Where `make image` puts a machine's image."""
    return target_dir() / "image" / machine


def read_env(path):
    """KEY=VALUE lines, as sh reads them."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)
