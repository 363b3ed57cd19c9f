"""The power fails at random moments of an update: the device comes up, with a system that is whole, and can be updated again.

A device is updated twice, from A to B and back, while QEMU logs what it writes to its disk. What the disk holds at a moment is made
from that log (see power/): it is looked at for all moments, and booted for twenty. HIL_POWER_CUTS is another number to boot; HIL_SEED
draws the same moments again, from what is another log of the same writes. The image of a moment that fails stays in
target/hil/power-cut.
"""

import dataclasses
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from hil import log
from hil.bundles import write
from hil.source import IMAGES, image_dir, read_env, target_dir
from power.crash import crash
from power.layout import MIB, Layout, digest
from power.moments import Phase, Stage, pick, stages
from power.range_server import serve
from power.replay import Replay
from power.sweep import sweep
from power.write_log import SECTOR, Flush, Write, read

pytestmark = pytest.mark.lg_feature("disk")

CUTS = int(os.environ.get("HIL_POWER_CUTS") or 20)
SEED = int(os.environ.get("HIL_SEED") or random.SystemRandom().randrange(1 << 32))
#: How often the power fails at each moment that is only looked at.
FATES = 16
LAYOUT = read_env(IMAGES / "layout.env")

#: Where ext4 keeps it: two sectors, of which the second has the checksum.
SUPERBLOCK = 1024

INSTALL_S, REBOOT_S, QEMU_IMG_S = 1200, 600, 120


@dataclasses.dataclass(frozen=True)
class Update:
    """A system that the device is updated to."""

    version: str
    url: str
    #: Of its root filesystem.
    digest: str


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a device wrote while it was updated, and what each request was for."""

    requests: list[Write | Flush]
    stages: list[Stage | None]
    layout: Layout
    #: The version that the device came with, and all versions by the digests of their root filesystems.
    factory: str
    versions: dict[str, str]


@pytest.fixture(scope="module")
def folder():
    """For the log and the images of the disk."""
    path = target_dir() / "hil" / "power-cut"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@pytest.fixture(scope="module")
def factory(option):
    """The disk of a device as it comes from the factory. It is shorter than the device's: data grows."""
    return image_dir(option("machine")) / "disk.img"


@pytest.fixture(scope="module")
def updates(workshop, option, folder):
    """Two updates, served to the device. Some megabytes of each are new: else an adaptive update would write next to nothing."""
    noise, made = random.Random(SEED), []
    with serve(folder) as port:
        for _ in range(2):
            version = workshop.next_version()
            rootfs = workshop.rootfs(version, [write("/usr/lib/microkernel/noise", noise.randbytes(32 * MIB))])
            bundle = Path(shutil.move(workshop.bundle(version, {"rootfs": rootfs}), folder))
            made.append(Update(version, f"http://{option('server_host')}:{port}/{bundle.name}", digest(rootfs)))
            rootfs.unlink()
        yield made


@pytest.fixture(scope="module")
def recording(bench, factory, updates, folder):
    """Both updates, one after the other, on a new device that nobody has told about a server."""
    path, marks, power = folder / "writes.log", [], bench.strategy.power

    def mark(phase):
        marks.append((phase, path.stat().st_size))

    bench.power_off()
    power.erase()
    power.provide(None, None)
    with pytest.MonkeyPatch.context() as environment:
        # For images/run.
        environment.setenv("WRITE_LOG", str(path))
        bench.power_on()
    layout = Layout.of(LAYOUT, json.loads(qemu_img("info", "--force-share", "--output=json", power.disk))["virtual-size"])
    came_with = bench.version()
    bench.await_confirmed()
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
    bench.power_off()
    writes = read(path)
    versions = {digest(factory, layout.slots["A"]): came_with} | {update.digest: update.version for update in updates}
    return Recording(writes.requests, stages(writes, marks, layout), layout, came_with, versions)


@pytest.fixture(scope="module")
def replay(recording, factory, folder):
    """Makes a new replay of the log."""
    return lambda name: Replay(recording.requests, factory, recording.layout.data.stop, folder / f"{name}.raw")


@pytest.fixture(scope="module")
def medium(replay):
    """The replay that goes from one power cut to the next."""
    return replay("power-cuts")


@pytest.fixture(scope="module")
def moments(recording):
    """The moments at which the power is cut."""
    log.info("%d power cuts, HIL_SEED=%d, in %d requests to the disk", CUTS, SEED, len(recording.requests))
    return pick(recording.stages, CUTS, random.Random(SEED))


def test_whenever_the_power_fails_the_environment_stands_for_a_whole_slot(recording, replay, measured):
    tries = sweep(recording.requests, recording.stages, recording.layout, replay("every-moment"), recording.versions, random.Random(SEED), FATES)
    measured("states of the disk after a power cut, looked at", tries)


@pytest.mark.parametrize("number", range(1, CUTS + 1))
def test_the_device_comes_up_whole_after_a_power_cut(bench, recording, updates, moments, medium, folder, number):
    moment = moments[number - 1]
    failure = crash(recording.requests, moment.cut, random.Random(f"{SEED} {number}"), moment.at)
    image = folder / f"cut-{number}.raw"
    medium.write(failure, image)
    log.info("power cut in request %d, writing %s; on the medium: %s", moment.at, moment.stage.value, failure.fate)
    slot = boot(bench, recording, image)
    if moment.stage == Stage.COPY and all(earlier.stage != Stage.COPY for earlier in moments[:number - 1]):
        repeat(bench, recording, updates["AB".index(slot)], other(slot), folder)
    bench.power_off()
    image.unlink()


def test_a_torn_superblock_of_the_data_partition_is_repaired(bench, recording, replay, folder):
    superblock = recording.layout.data.start + SUPERBLOCK
    at = next(at for at, stage in enumerate(recording.stages) if stage == Stage.FIRST_BOOT and superblock in recording.requests[at].range)
    torn = recording.requests[at]
    first_half = Write(torn.offset, torn.data[:superblock + SECTOR - torn.offset])
    failure = dataclasses.replace(crash(recording.requests, at + 1, random.Random(SEED), at), survivors=[first_half])
    image = folder / "superblock.raw"
    replay("superblock").write(failure, image)
    boot(bench, recording, image)
    assert "invalid superblock checksum" in bench.check("dmesg")
    bench.power_off()
    image.unlink()


def boot(bench, recording, image):
    """A device with that disk comes up with a system that is whole, and is well; its slot."""
    held = {slot: digest(image, part) for slot, part in recording.layout.slots.items()}
    log.info("slots: %s", {slot: recording.versions.get(rootfs, "in parts") for slot, rootfs in held.items()})
    bench.power_off()
    start_from(bench, image)
    bench.power_on()
    slot = bench.boots[-1][0]
    assert held[slot] in recording.versions, f"the boot script starts slot {slot}, which holds no system that is whole"
    assert "both copies of the boot environment are broken" not in bench.strategy.before_slot, bench.strategy.before_slot
    bench.await_confirmed()
    assert_well(bench, recording, slot, held[slot])
    return slot


def assert_well(bench, recording, slot, rootfs):
    """The device agrees with us and with itself about which system runs, and has nothing to complain of. `rootfs` is a digest."""
    assert (bench.booted_slot(), bench.version()) == (slot, recording.versions[rootfs])
    environment = bench.boot_environment()
    assert environment["BOOT_ORDER"].split()[0] == slot and environment[f"BOOT_{slot}_LEFT"] == LAYOUT["BOOT_ATTEMPTS"], environment
    known = bench.rauc_slots()
    assert (known[slot]["state"], known[slot]["boot_status"]) == ("booted", "good"), known
    assert known[other(slot)]["state"] == "inactive", known
    if recording.versions[rootfs] != recording.factory:
        assert known[slot]["slot_status"]["checksum"]["sha256"] == rootfs, known
    assert bench.check("systemctl --failed --no-legend --plain") == ""
    assert bench.run("dmesg | grep -E 'EXT4-fs.*(error|warning)'")[1] == ""


def repeat(bench, recording, update, slot, folder):
    """The update that was interrupted can be done again, and then its slot is whole."""
    log.info("installing %s again", update.version)
    bench.check(f"rauc install {update.url}", INSTALL_S)
    reboot(bench)
    bench.await_confirmed()
    assert_well(bench, recording, slot, update.digest)
    bench.power_off()
    image = folder / "repeated.raw"
    qemu_img("convert", "-O", "raw", bench.strategy.power.disk, image)
    assert digest(image, recording.layout.slots[slot]) == update.digest
    image.unlink()


def other(slot):
    """Of the two."""
    return "AB".replace(slot, "")


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
