"""What needs neither the layers nor BitBake: part of `make test`."""

import sys

from tools import LAYER, ROOT, environment, pytest, run

TESTS = ROOT / "images/tests"


def style():
    """oelint-adv with yocto-layer/.oelint.cfg: no error."""
    recipes = sorted(path for pattern in ("*.bb", "*.bbappend") for path in LAYER.rglob(pattern))
    run([environment() / "oelint-adv", *recipes], log="style", cwd=LAYER)
    return f"oelint-adv: no error in {len(recipes)} files"


def contract():
    """Disk, boot, RAUC, mounts, packages and crates say the same everywhere."""
    return pytest(TESTS / "test_contract.py", TESTS / "test_contract_yocto.py", "-k", "not shellcheck", log="contract")


def tryboot():
    """RAUC's backend for the Raspberry Pi 5, and the check of its firmware's age."""
    return pytest(TESTS / "test_tryboot.py", log="tryboot")


def crates():
    """The generated list of crates is that of Cargo.lock."""
    output = LAYER / "recipes-core/microkernel-services/microkernel-services-crates.inc"
    run([sys.executable, "-B", "-m", "microkernel.crates", ROOT / "Cargo.lock", output, "--check"], log="crates", cwd=LAYER / "lib")


PARTS = [("style of the recipes", style), ("crates", crates), ("contract", contract), ("tryboot backend", tryboot)]
