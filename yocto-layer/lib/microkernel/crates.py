"""The crates of Cargo.lock as SRC_URI, in the form of OE's cargo-update-recipe-crates class, but without a build folder.

python3 -m microkernel.crates Cargo.lock OUTPUT.inc [--check]: writes the file, or says whether it is what it should be.
"""

import argparse
import sys
import tomllib
from pathlib import Path


def render(lock):
    """The contents of the .inc for the text of a Cargo.lock."""
    crates = [crate for crate in tomllib.loads(lock)["package"] if "crates.io" in crate.get("source", "")]
    lines = ["# Generated from Cargo.lock by `make yocto-crates`.", "", 'SRC_URI += "\\']
    lines += [f"    crate://crates.io/{crate['name']}/{crate['version']} \\" for crate in crates]
    lines += ['"', ""]
    lines += [f'SRC_URI[{crate["name"]}-{crate["version"]}.sha256sum] = "{crate["checksum"]}"' for crate in crates]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lock", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file is not what Cargo.lock says")
    arguments = parser.parse_args()
    wanted = render(arguments.lock.read_text())
    if not arguments.check:
        arguments.output.write_text(wanted)
    elif not arguments.output.exists() or arguments.output.read_text() != wanted:
        sys.exit(f"{arguments.output} is not what {arguments.lock} says: run make yocto-crates and commit the result")


if __name__ == "__main__":
    main()
