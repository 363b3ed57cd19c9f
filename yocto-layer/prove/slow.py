"""What takes longer, or needs the layers: everything else of `make yocto`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import layers
from fast import TESTS
from report import Failed, NotRun
from tools import IS_ROOT, LAYER, ROOT, need, pytest, run, work_folder

# The last commit of OE-core with wic in it; it has been a project of its own since, with the same code.
WIC_COMMIT = "b9e2a2f584^"


def mutations():
    """Each file of the contract, changed alone, breaks it."""
    return pytest(TESTS / "test_contract_mutations.py", log="mutations", deadline_s=3600)


def boot_script():
    """The boot script in U-Boot, through its table of cases."""
    need("qemu-system-aarch64", package="qemu-system-arm")
    need("fw_printenv", package="libubootenv-tool")
    cache = Path(os.environ.get("MICROKERNEL_CACHE", Path.home() / ".cache/microkernel"))
    toolboxes = sorted(cache.glob("toolbox-*/usr/lib/u-boot/qemu_arm64/u-boot.bin"))
    if not IS_ROOT or not toolboxes:
        raise NotRun("it takes U-Boot from the images' toolbox: sudo make check-dist makes that, and runs the same test")
    toolbox = run([ROOT / "images/build/toolbox", "path"], log="toolbox").strip().splitlines()[-1]
    return pytest(TESTS / "test_boot_script.py", log="boot-script", MICROKERNEL_TOOLBOX=toolbox)


def wic():
    """wic makes every machine's disk; sfdisk and others read it back."""
    need("mke2fs", "mkfs.vfat", "mcopy", "sfdisk", "parted", "mkimage", package="e2fsprogs dosfstools mtools fdisk parted u-boot-tools")
    program = shutil.which("wic")
    if not program:
        source = work_folder() / "wic"
        repository = layers.checkout() / "openembedded-core"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        git = ["git", "-c", "safe.directory=*", "-C", str(repository)]
        if subprocess.run([*git, "cat-file", "-e", WIC_COMMIT], check=False, capture_output=True, timeout=60).returncode:
            raise NotRun("there is no wic, and the history of openembedded-core, where one is, is not complete here")
        archive = subprocess.run([*git, "archive", WIC_COMMIT, "scripts", "meta/lib/oe"], check=True, capture_output=True, timeout=60)
        subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True, timeout=60)
        program = source / "run"
        program.write_text(f'#!/bin/sh\nexec env PYTHONPATH={repository.parent}/bitbake/lib PATH=/usr/sbin:/usr/bin:/sbin:/bin '
                           f'/usr/bin/python3 -B {source}/scripts/wic "$@"\n')
        program.chmod(0o755)
    return pytest(TESTS / "test_wic.py", log="wic", MICROKERNEL_WIC=program)


def configuration():
    """kas understands every file, and every layer is pinned to a commit."""
    files = list(layers.fragments().values())
    for path in files:
        said = layers.dump(path)
        pinned = re.findall(r"^ +commit: [0-9a-f]{40}$", said, re.M)
        if len(pinned) != len(re.findall(r"^ +url: ", said, re.M)):
            raise Failed(f"{path.name}: not every repository is pinned")
    return f"kas dump: {len(files)} files, all layers pinned"


def machine(name, path):
    """Every recipe parses, and whatever image and bundle depend on is there."""
    said = layers.shell(path, "bitbake -g microkernel-image microkernel-bundle", log=f"parse-{name}")
    parsed = re.search(r"Parsing of (\d+) \.bb files complete .*?(\d+) targets.*, 0 errors", said)
    complaints = [line for line in said.splitlines() if line.startswith(("ERROR", "WARNING"))]
    if complaints or not parsed:
        raise Failed(complaints[0] if complaints else "BitBake does not say how many recipes it parsed")
    return f"{parsed.group(1)} recipes, {parsed.group(2)} targets: no error, no warning; image and bundle resolved"


def check_layer():
    """The Yocto Project's own test of a layer."""
    work = layers.checkout()
    dependencies = [work / "meta-openembedded/meta-oe", work / "meta-rauc", work / "meta-raspberrypi"]
    said = layers.shell(ROOT / "kas.yml", layers.quoted(
        "yocto-check-layer", LAYER, "--no-auto-dependency", "--dependency", *dependencies), log="check-layer", deadline_s=4 * 3600)
    results = re.findall(r"^INFO: .*(\btest_\w+.*|Ran \d+ tests.*|OK.*)$", said, re.M)
    if re.search(r"FAIL|ERROR", said):
        raise Failed(f"see {work_folder()}/logs/check-layer.log")
    return results[-1] if results else "no failure"


def crates_fetched():
    """BitBake fetches and unpacks the workspace and every crate, and compares their checksums."""
    layers.shell(ROOT / "kas.yml", "bitbake microkernel-services -c cleansstate && bitbake microkernel-services -c unpack", log="fetch")
    count = len(re.findall(r"crate://", (LAYER / "recipes-core/microkernel-services/microkernel-services-crates.inc").read_text()))
    return f"{count} crates"


def compiled():
    """The services recipe configures, compiles and installs, as -native and with this machine's Rust."""
    need("cargo", "rustc", package="a toolchain from rustup")
    need("quilt", package="quilt")
    sysroot = run(["rustc", "--print", "sysroot"], log="sysroot").strip()
    prefix = []
    if IS_ROOT:
        # root's toolchain is out of the other user's sight: it is shown to that user in another place, and only to this process.
        there = work_folder() / "host-rust"
        there.mkdir(exist_ok=True)
        prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                  'mount --bind "$1" "$2" && shift 2 && PATH="$0/bin:$PATH" && export PATH && exec "$@"', there, sysroot, there]
    layers.shell(ROOT / "kas.yml", "bitbake microkernel-services-native -c cleansstate && bitbake microkernel-services-native -c install",
                 log="compile", overlays=[LAYER / "prove/host-rust.yml"], prefix=prefix)
    programs = sorted(path.name for path in (layers.checkout() / "build/tmp/work").glob("x86_64-linux/microkernel-services-native/*/image/**/microkernel-*")
                      if path.is_file() and os.access(path, os.X_OK))
    if not programs:
        raise Failed(f"nothing was installed; see {work_folder()}/logs/compile.log")
    return f"{', '.join(programs)}; with this machine's Rust"


def whole_image():
    raise NotRun("an image is compiled from some hundred upstream sources, hours on a large machine: kas build kas.yml")


def boards():
    raise NotRun("no Raspberry Pi is connected: the tests that would run on one are in tests-hil")


PARTS = [
    ("contract, mutated", mutations),
    ("boot script in U-Boot", boot_script),
    ("kas files", configuration),
    ("disks by wic", wic),
    *((f"{name}: parse, dependencies", lambda name=name, path=path: machine(name, path)) for name, path in layers.fragments().items()),
    ("crates fetched", crates_fetched),
    ("services compiled", compiled),
    ("yocto-check-layer", check_layer),
    ("whole image", whole_image),
    ("on a board", boards),
]
