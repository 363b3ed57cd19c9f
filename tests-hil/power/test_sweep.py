"""The check of every moment finds what it is for."""

import hashlib
import random

import pytest
from uboot import Copy

from .layout import Layout
from .moments import Stage
from .replay import Replay
from .sweep import sweep
from .write_log import SECTOR, Flush, Write

pytestmark = pytest.mark.fast

SIZE = 2 * SECTOR
LAYOUT = Layout(
    environment=(range(0, SIZE), range(SIZE, 2 * SIZE)),
    slots={"A": range(8 * SECTOR, 16 * SECTOR), "B": range(16 * SECTOR, 24 * SECTOR)},
    data=range(24 * SECTOR, 32 * SECTOR),
)
OLD, NEW = b"o" * 8 * SECTOR, b"n" * 8 * SECTOR


def environment(copy, sequence, order, padding=""):
    """Written so that a part of it is no valid copy."""
    variables = {"BOOT_ORDER": order, "BOOT_A_LEFT": 3, "BOOT_B_LEFT": 3, "PADDING": padding * 600}
    return Write(LAYOUT.environment[copy].start, bytes(Copy(SIZE, sequence, **variables)))


def looked_at(requests, tmp_path, fates=40):
    """The sweep over an update from A, which is whole, to B, which is empty; both copies of the environment are for A."""
    factory = tmp_path / "factory"
    content = bytearray(32 * SECTOR)
    for write in (environment(0, 1, "A", "x"), environment(1, 2, "A", "x"), Write(LAYOUT.slots["A"].start, OLD)):
        content[write.offset:write.end] = write.data
    factory.write_bytes(content)
    stages = [None if isinstance(request, Flush)
              else Stage.COPY if request.offset >= LAYOUT.slots["A"].start else Stage.INSTALL_ENVIRONMENT for request in requests]
    medium = Replay(requests, factory, len(content), tmp_path / "medium")
    systems = {hashlib.sha256(system).hexdigest() for system in (OLD, NEW)}
    return sweep(requests, stages, LAYOUT, medium, systems, random.Random(1), fates)


IMAGE = [Write(LAYOUT.slots["B"].start + at, NEW[at:at + 4 * SECTOR]) for at in (0, 4 * SECTOR)]


def test_an_update_that_flushes_the_slot_before_it_changes_the_environment_is_safe(tmp_path):
    assert looked_at([*IMAGE, Flush(), environment(0, 3, "B A", "y"), Flush(), environment(1, 4, "B A", "z"), Flush()], tmp_path) == 4 * 40


def test_a_slot_that_is_not_flushed_before_the_environment_is_found(tmp_path):
    with pytest.raises(AssertionError, match="slot B would be booted and is not whole"):
        looked_at([*IMAGE, environment(0, 3, "B A", "y"), Flush(), environment(1, 4, "B A", "z"), Flush()], tmp_path)


def test_an_environment_that_is_changed_before_the_slot_is_found(tmp_path):
    with pytest.raises(AssertionError, match="slot B would be booted and is not whole"):
        looked_at([environment(0, 3, "B A", "y"), Flush(), *IMAGE, Flush()], tmp_path)


def test_two_copies_in_the_cache_at_once_are_found(tmp_path):
    with pytest.raises(AssertionError, match="both copies of the environment are broken"):
        looked_at([*IMAGE, Flush(), environment(0, 3, "B A", "y"), Write(SIZE, bytes(SIZE)), Flush()], tmp_path)
