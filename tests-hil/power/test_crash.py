"""The making of crash states, on a disk of a few sectors."""

import random
import struct

import pytest
from uboot import Copy

from .boot_choice import choice, current
from .crash import crash
from .layout import Layout, digest
from .moments import ENVIRONMENT, MIX, Phase, Stage, pick, stages
from .replay import Replay
from .write_log import SECTOR, Flush, Log, Write, read

pytestmark = pytest.mark.fast

SEEDS = range(200)


def sectors(text):
    """A sector for each letter."""
    return b"".join(letter.encode() * SECTOR for letter in text)


def entry(sector, data, flags=0):
    return struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data


def log_file(path, *entries, magic=0x6A736677736872):
    path.write_bytes(struct.pack("<QQQI", magic, 1, 0, SECTOR).ljust(SECTOR, b"\0") + b"".join(entries))
    return path


@pytest.fixture(name="replay")
def new_replay(tmp_path):
    """Makes a Replay over a disk of six sectors."""
    def make(requests):
        factory = tmp_path / "factory"
        factory.write_bytes(sectors("......"))
        return Replay(requests, factory, 8 * SECTOR, tmp_path / "medium")
    return make


def letters(data):
    """One for each sector, which must be of one letter; a disk's own zeros are shown as 0."""
    found = [set(data[at:at + SECTOR]) for at in range(0, len(data), SECTOR)]
    assert all(len(values) == 1 for values in found), "a sector was torn"
    return "".join(chr(values.pop() or ord("0")) for values in found)


class TestLog:
    def test_requests_are_read_in_order(self, tmp_path):
        path = log_file(tmp_path / "log", entry(3, sectors("ab")), entry(0, b"", flags=1), entry(1, sectors("c")))
        log = read(path)
        first, second, third = log.requests
        assert (first.offset, bytes(first.data), first.end) == (3 * SECTOR, sectors("ab"), 5 * SECTOR)
        assert isinstance(second, Flush)
        assert (third.offset, bytes(third.data)) == (SECTOR, sectors("c"))
        assert log.ends == [4 * SECTOR, 5 * SECTOR, 7 * SECTOR]

    def test_an_entry_that_is_cut_off_does_not_count(self, tmp_path):
        path = log_file(tmp_path / "log", entry(3, sectors("a")), entry(3, sectors("bcd"))[:-1])
        assert len(read(path).requests) == 1

    def test_another_file_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="no log of writes"):
            read(log_file(tmp_path / "log", magic=1))

    @pytest.mark.parametrize("flags", [2, 4, 8, 16])
    def test_a_request_that_the_model_does_not_know_is_refused(self, tmp_path, flags):
        with pytest.raises(ValueError, match="request 0 has flags"):
            read(log_file(tmp_path / "log", entry(1, sectors("a"), flags)))


class TestCrash:
    #: Flushed: "aa" from sector 0. Not flushed: "bbbb" from sector 1, "c" at sector 5.
    REQUESTS = [Write(0, sectors("aa")), Flush(), Write(SECTOR, sectors("bbbb")), Write(5 * SECTOR, sectors("c")), Flush()]

    @pytest.fixture(name="images")
    def all_images(self, replay):
        """The images that a power failure after so many requests may leave."""
        def images(cut):
            medium = replay(self.REQUESTS)
            return {letters(medium.read(crash(self.REQUESTS, cut, random.Random(seed)), range(8 * SECTOR))) for seed in SEEDS}
        return images

    def test_what_was_flushed_survives(self, images):
        assert images(2) == {"aa....00"}

    def test_what_was_not_flushed_is_there_or_not_or_torn_if_it_has_several_sectors(self, images):
        lost, whole, torn = "aa...", "abbbb", {"ab...", "abb..", "abbb.", "aa..b", "aa.bb", "aabbb"}
        assert images(4) == {f"{first}{last}00" for first in {lost, whole, *torn} for last in ".c"}

    def test_after_the_next_flush_all_is_there(self, images):
        assert images(5) == {"abbbbc00"}

    def test_a_single_sector_is_whole_or_lost(self):
        failures = [crash(self.REQUESTS, 4, random.Random(seed), torn=3) for seed in SEEDS]
        assert {len(write.data) for failure in failures for write in failure.survivors} == {4 * SECTOR, SECTOR}

    def test_it_can_be_chosen_which_write_is_torn(self):
        several = [Write(0, sectors("aa")), Write(2 * SECTOR, sectors("bb"))]
        failures = [crash(several, 2, random.Random(seed), torn=0) for seed in SEEDS]
        assert {len(failure.survivors[0].data) for failure in failures} == {SECTOR}

    def test_a_write_that_was_flushed_cannot_be_torn(self):
        with pytest.raises(AssertionError, match="request 0 is not in the cache"):
            crash(self.REQUESTS, 4, random.Random(0), torn=0)

    def test_the_image_is_what_was_read_of_it_in_part(self, replay, tmp_path):
        medium, failure = replay(self.REQUESTS), crash(self.REQUESTS, 4, random.Random(3))
        medium.write(failure, tmp_path / "image")
        image = (tmp_path / "image").read_bytes()
        for part in (range(8 * SECTOR), range(2 * SECTOR, 4 * SECTOR), range(3 * SECTOR, 8 * SECTOR)):
            assert medium.read(failure, part) == image[part.start:part.stop]

    def test_the_same_seed_is_the_same_crash(self):
        first, second = (crash(self.REQUESTS, 4, random.Random(7)) for _ in range(2))
        assert first == second

    def test_crashes_are_looked_at_forwards(self, replay):
        medium = replay(self.REQUESTS)
        medium.read(crash(self.REQUESTS, 5, random.Random(0)), range(SECTOR))
        with pytest.raises(AssertionError, match="replayed already"):
            medium.read(crash(self.REQUESTS, 2, random.Random(0)), range(SECTOR))


class TestMoments:
    LAYOUT = Layout.of({"ENV_SIZE": "0x1000", "ENV_OFFSET_0": "0x400000", "ENV_OFFSET_1": "0x800000", "FIRST_PARTITION_MIB": "16",
                        "BOOT_MIB": "32", "ROOTFS_MIB": "360"}, 2048 << 20)

    def log(self):
        """An update, and after it another write of each kind, which is no part of it; with its marks and what is expected."""
        places = {"environment": 0x800000, "slot": 408 << 20, "boot": 16 << 20, "data": 768 << 20}
        log, marks, expected = Log([], []), [], []
        for phase in (None, *Phase, None):
            marks.append((phase, log.ends[-1] if log.ends else 0))
            for place, offset in places.items():
                log.requests.extend([Write(offset, bytes(SECTOR)), Flush()])
                log.ends.extend([len(log.ends) + 1, len(log.ends) + 2])
                stage = {"environment": ENVIRONMENT.get(phase), "slot": phase and Stage.COPY, "boot": None,
                         "data": {Phase.INSTALL: Stage.STATUS, Phase.REBOOT: Stage.SHUTDOWN, Phase.FIRST_BOOT: Stage.FIRST_BOOT}.get(phase)}
                expected += [stage[place], None]
        return log, marks, expected

    def test_the_stage_follows_from_place_and_phase(self):
        log, marks, expected = self.log()
        assert stages(log, marks, self.LAYOUT) == expected

    def test_twenty_moments_are_of_every_stage_and_at_least_six_tear_the_environment(self):
        found = stages(*self.log()[:2], self.LAYOUT)
        moments = pick(found, 20, random.Random(1))
        assert {moment.stage for moment in moments} == set(Stage)
        assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
        assert all(found[moment.at] == moment.stage for moment in moments)
        assert len([moment for moment in moments if moment.stage in ENVIRONMENT.values()]) >= 6

    def test_no_moment_is_picked_twice_while_there_are_others(self):
        found = [stage for stage in Stage for _ in range(6)]
        moments = pick(found, len(MIX), random.Random(1))
        assert len({moment.at for moment in moments}) == len(MIX)

    def test_a_stage_that_never_happened_is_said(self):
        with pytest.raises(AssertionError, match="wrote nothing of this kind: the image, to the slot"):
            pick([None, None], 1, random.Random(1))


class TestBootChoice:
    @pytest.mark.parametrize("first, second, newer", [(1, 2, 1), (2, 1, 0), (5, 5, 0), (255, 0, 1), (0, 255, 0), (3, None, 0), (None, 3, 1)])
    def test_the_newer_copy_counts(self, first, second, newer):
        copies = [None if sequence is None else Copy(64, sequence) for sequence in (first, second)]
        assert current(*copies) is copies[newer]

    def test_two_broken_copies_stand_for_nothing(self):
        assert current(None, None) is None

    @pytest.mark.parametrize("order, a, b, slot", [("A B", 3, 3, "A"), ("B A", 3, 1, "B"), ("B A", 3, 0, "A"), ("B A", 0, 0, "A"), ("B", 3, 0, "B")])
    def test_the_first_slot_with_attempts_boots_or_else_the_last(self, order, a, b, slot):
        assert choice({"BOOT_ORDER": order, "BOOT_A_LEFT": str(a), "BOOT_B_LEFT": str(b)}) == slot


def test_a_part_of_an_image_has_the_digest_of_its_content(tmp_path):
    (tmp_path / "disk").write_bytes(sectors("abcd"))
    (tmp_path / "slot").write_bytes(sectors("bc"))
    assert digest(tmp_path / "disk", range(SECTOR, 3 * SECTOR)) == digest(tmp_path / "slot")
    with pytest.raises(AssertionError, match="ends 512 bytes before"):
        digest(tmp_path / "disk", range(3 * SECTOR, 5 * SECTOR))
