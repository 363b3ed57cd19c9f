"""The power fails at random moments of an update: the device comes up, with a system that is whole, and can be updated again.

A device is updated twice, from A to B and back, while QEMU logs what it writes to its disk. For each of twenty moments an image is
made of what the disk then holds (see power/), and booted. HIL_POWER_CUTS is another number of moments; HIL_SEED draws the same ones
again, from what is another log of the same writes. The image of a moment that fails stays in target/hil/power-cut.
"""

import dataclasses
import hashlib
import json
import os
import random
import shutil
import subprocess
from bisect import bisect_left
from pathlib import Path

import pytest

from hil import log
from hil.bundles import write
from hil.source import IMAGES, image_dir, read_env, target_dir
from power.boot_choice import choice, current
from power.crash import crash
from power.layout import MIB, Layout, digest
from power.moments import ENVIRONMENT, Phase, Stage, pick, stages
from power.replay import Replay
from power.write_log import Write, read
from power.range_server import serve
from uboot import Copy

pytestmark = pytest.mark.lg_feature("disk")

CUTS = int(os.environ.get("HIL_POWER_CUTS") or 20)
SEED = int(os.environ.get("HIL_SEED") or random.SystemRandom().randrange(1 << 32))
#: At each moment of the check without a device.
FATES = 16
LAYOUT = read_env(IMAGES / "layout.env")

INSTALL_S, REBOOT_S, QEMU_IMG_S = 1200, 600, 120


@dataclasses.dataclass(frozen=True)
class Update:
    """A system that the device was updated to."""

    version: str
    rootfs: Path
    url: str


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a device wrote while it was updated: the log, and the phases' names and beginnings in it."""

    log_path: Path
    marks: list
    updates: list[Update]
    #: The version that the device came with, and all versions by the digest of their root filesystem.
    factory: str
    versions: dict[str, str]
    layout: Layout
    disk_size: int


@pytest.fixture(scope="module")
def folder():
    """For the log and the images of the disk."""
    path = target_dir() / "hil" / "power-cut"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@pytest.fixture(scope="module")
def updates(workshop, option, folder):
    """Two updates, served to the device. Some megabytes of each are new: else an adaptive update would write next to nothing."""
    noise = random.Random(SEED)
    with serve(folder) as port:
        made = []
        for _ in range(2):
            version = workshop.next_version()
            rootfs = workshop.rootfs(version, [write("/usr/lib/microkernel/noise", noise.randbytes(32 * MIB))])
            bundle = shutil.move(workshop.bundle(version, {"rootfs": rootfs}), folder)
            made.append(Update(version, rootfs, f"http://{option('server_host')}:{port}/{Path(bundle).name}"))
        yield made


@pytest.fixture(scope="module")
def recording(bench, option, updates, folder):
    """Both updates, one after the other, on a new device."""
    log_path, marks = folder / "writes.log", []

    def mark(phase):
        marks.append((phase, log_path.stat().st_size))

    power = bench.strategy.power
    bench.power_off()
    power.erase()
    power.provide(None, None)
    with pytest.MonkeyPatch.context() as environment:
        # For images/run.
        environment.setenv("WRITE_LOG", str(log_path))
        bench.power_on()
    bench.await_confirmed()
    disk, factory = image_dir(option("machine")) / "disk.img", bench.version()
    size = json.loads(qemu_img("info", "--force-share", "--output=json", power.disk))["virtual-size"]
    layout = Layout.of(LAYOUT, size)
    versions = {digest(disk, layout.slots["A"]): factory}
    for update, slot in zip(updates, "BA", strict=True):
        log.info("recording the update to %s", update.version)
        mark(Phase.INSTALL)
        bench.check(f"rauc install {update.url}", INSTALL_S)
        mark(Phase.REBOOT)
        reboot(bench)
        mark(Phase.FIRST_BOOT)
        bench.await_confirmed()
        mark(None)
        assert (bench.boots[-1][0], bench.version()) == (slot, update.version)
        versions[digest(update.rootfs)] = update.version
    bench.power_off()
    return Recording(log_path, marks, updates, factory, versions, layout, size)


@pytest.fixture(scope="module")
def writes(recording):
    """The log of both updates."""
    return read(recording.log_path)


@pytest.fixture(scope="module")
def found(recording, writes):
    """What each request of the log is for."""
    return stages(writes, recording.marks, recording.layout)


@pytest.fixture(scope="module")
def moments(writes, found):
    """The moments at which the power is cut."""
    log.info("%d power cuts, HIL_SEED=%d, in %d requests to the disk", CUTS, SEED, len(writes.requests))
    return pick(found, CUTS, random.Random(SEED))


@pytest.fixture(scope="module")
def replay(recording, writes, option, folder):
    """Makes a new replay of the log."""
    factory = image_dir(option("machine")) / "disk.img"
    return lambda name: Replay(writes.requests, factory, recording.disk_size, folder / f"{name}.raw")


@pytest.fixture(scope="module")
def forwards(replay):
    """The replay that goes from one power cut to the next."""
    return replay("power-cuts")


def test_whenever_the_power_fails_the_environment_stands_for_a_whole_slot(recording, writes, found, replay):
    medium, dice, digests, tries = replay("every-moment"), random.Random(SEED), {}, 0
    slots = recording.layout.slots
    changes = {slot: [at for at, request in enumerate(writes.requests) if isinstance(request, Write) and request.offset in part]
               for slot, part in slots.items()}
    for at in (at for at, stage in enumerate(found) if stage is not None):
        for _ in range(FATES):
            failure = crash(writes.requests, at + 1, dice, at if found[at] in ENVIRONMENT.values() else None)
            environment = current(*(Copy.parse(medium.read(failure, part)) for part in recording.layout.environment))
            where = f"after request {at} of {found[at].value}, {failure.fate}"
            assert environment is not None, f"both copies of the environment are broken {where}"
            slot = choice(environment.variables)
            # Hashing a slot takes a second: it is done again only when something was written there.
            durable, written = bisect_left(changes[slot], failure.durable), bisect_left(changes[slot], failure.cut)
            key = (slot, durable) if durable == written else (slot, durable, tries)
            if key not in digests:
                digests[key] = hashlib.sha256(medium.read(failure, slots[slot])).hexdigest()
            assert digests[key] in recording.versions, f"slot {slot} would be booted and is not whole {where}"
            tries += 1
    log.info("%d ways to lose power: each leaves a whole slot to boot", tries)


@pytest.mark.parametrize("number", range(1, CUTS + 1))
def test_the_device_comes_up_whole_after_a_power_cut(bench, recording, writes, moments, forwards, folder, number):
    moment = moments[number - 1]
    failure = crash(writes.requests, moment.cut, random.Random(f"{SEED} {number}"), moment.torn)
    image = folder / f"cut-{number}.raw"
    forwards.write(failure, image)
    held = {slot: digest(image, part) for slot, part in recording.layout.slots.items()}
    names = {slot: recording.versions.get(sum_, "in parts") for slot, sum_ in held.items()}
    log.info("power cut after request %d, while writing %s; on the medium: %s; slots: %s", moment.cut, moment.stage.value, failure.fate, names)

    bench.power_off()
    start_from(bench, image)
    bench.power_on()
    slot = bench.boots[-1][0]
    assert held[slot] in recording.versions, f"the boot script starts slot {slot}, which holds no system that is whole"
    assert "starting with a new one" not in bench.strategy.before_slot, bench.strategy.before_slot
    bench.await_confirmed()
    assert_well(bench, recording, slot, held[slot])

    if moment.stage == Stage.COPY and all(earlier.stage != Stage.COPY for earlier in moments[:number - 1]):
        repeat(bench, recording, folder)
    bench.power_off()
    image.unlink()


def assert_well(bench, recording, slot, rootfs):
    """The device agrees with us and with itself about which system runs, and has nothing to complain of. `rootfs` is a digest."""
    assert (bench.booted_slot(), bench.version()) == (slot, recording.versions[rootfs])
    environment = bench.boot_environment()
    assert environment["BOOT_ORDER"].split()[0] == slot and environment[f"BOOT_{slot}_LEFT"] == LAYOUT["BOOT_ATTEMPTS"], environment
    known = bench.rauc_slots()
    assert (known[slot]["state"], known[slot]["boot_status"]) == ("booted", "good"), known
    assert known["AB".replace(slot, "")]["state"] == "inactive", known
    if recording.versions[rootfs] != recording.factory:
        assert known[slot]["slot_status"]["checksum"]["sha256"] == rootfs, known
    assert bench.check("systemctl --failed --no-legend --plain") == ""
    assert bench.run("dmesg | grep -E 'EXT4-fs.*(error|warning)'")[1] == ""


def repeat(bench, recording, folder):
    """The update that was interrupted can be done again, and then its slot is whole."""
    slot = bench.boots[-1][0]
    update = recording.updates["AB".index(slot)]
    log.info("installing %s again", update.version)
    bench.check(f"rauc install {update.url}", INSTALL_S)
    reboot(bench)
    bench.await_confirmed()
    other = "AB".replace(slot, "")
    assert_well(bench, recording, other, digest(update.rootfs))
    bench.power_off()
    image = folder / "repeated.raw"
    qemu_img("convert", "-O", "raw", bench.strategy.power.disk, image)
    assert digest(image, recording.layout.slots[other]) == digest(update.rootfs)
    image.unlink()


def reboot(bench):
    """As a person at the console would."""
    before = len(bench.boots)
    bench.strategy.console.sendline("systemctl reboot")
    bench.until(lambda: len(bench.boots) > before, REBOOT_S, "the boot script does not start a slot", poll_s=0.2)


def start_from(bench, image):
    """Gives the device a disk with that content, which stays as it is."""
    disk = bench.strategy.power.disk
    disk.unlink(missing_ok=True)
    qemu_img("create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", disk)


def qemu_img(*arguments):
    """What qemu-img prints. It must succeed."""
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, timeout=QEMU_IMG_S, check=False)
    assert done.returncode == 0, f"qemu-img {arguments}: {done.stdout}{done.stderr}"
    return done.stdout
