"""What the boot script chooses and what it writes, in U-Boot itself."""

import shutil

import pytest
from uboot import Device


@pytest.fixture(scope="module")
def boot_scr(tmp_path_factory, rendered, in_toolbox):
    folder = tmp_path_factory.mktemp("boot")
    shutil.copy(rendered("virtual") / "boot.cmd", folder)
    done = in_toolbox([folder], "mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", folder / "boot.cmd", folder / "boot.scr")
    assert done.returncode == 0, done.stderr
    return folder / "boot.scr"


@pytest.fixture
def device(tmp_path, layout, toolbox, boot_scr):
    return Device(tmp_path, layout, toolbox, boot_scr)


def state(device, order, a, b, sequence=1):
    return device.copy(sequence, BOOT_ORDER=order, BOOT_A_LEFT=a, BOOT_B_LEFT=b)


def test_the_preferred_slot_boots_and_pays_an_attempt(device):
    device.write(state(device, "B A", 3, 3, 7), state(device, "A B", 3, 3, 6))
    _, slots = device.boot()
    assert slots == ["B"]
    assert device.fw_printenv() == {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "2"}
    newest, written = device.copies()
    assert (newest.sequence, written.sequence) == (7, 8), "the older copy is replaced, the newer one stays"


def test_a_slot_without_attempts_leaves_the_order(device):
    device.write(state(device, "B A", 3, 0), state(device, "B A", 3, 0))
    _, slots = device.boot()
    assert slots == ["A"]
    assert device.fw_printenv()["BOOT_ORDER"] == "A"


def test_a_bad_update_is_tried_three_times_then_never_again(device):
    device.write(state(device, "B A", 3, 3), state(device, "B A", 3, 3))
    # One power-on; without a kernel, the script resets the machine each time. A is retried for ever: there is nothing else.
    _, slots = device.boot(starts=9)
    assert "".join(slots) == "BBB" + "AAA" + "AAA"
    assert device.fw_printenv() == {"BOOT_ORDER": "A", "BOOT_A_LEFT": "0", "BOOT_B_LEFT": "0"}


def test_retrying_the_last_slot_writes_nothing(device):
    device.write(state(device, "A", 0, 0), state(device, "A", 0, 0, 0))
    before = device.raw()
    _, slots = device.boot(starts=2)
    assert slots == ["A", "A"]
    assert device.raw() == before


def test_a_slot_outside_the_order_is_not_booted_whatever_its_attempts(device):
    device.write(state(device, "A", 0, 3), state(device, "A", 0, 3))
    assert device.boot()[1] == ["A"]


def test_an_empty_order_boots_nothing_and_says_so(device):
    device.write(device.copy(1, BOOT_A_LEFT=3, BOOT_B_LEFT=3), device.copy(0))
    console, slots = device.boot()
    assert slots == [] and "BOOT_ORDER is empty" in console


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("damage", ["zeros", "erased", "one bit", "torn"])
def test_either_copy_may_be_broken(device, broken, damage):
    good, bad = state(device, "B A", 2, 3, 5), bytearray(bytes(state(device, "A B", 3, 3, 6)))
    if damage == "zeros":
        bad[:] = bytes(len(bad))
    elif damage == "erased":
        bad[:] = b"\xff" * len(bad)
    elif damage == "one bit":
        bad[20] ^= 1
    else:
        # The first sector of a newer copy over an older one with longer text.
        older = bytes(device.copy(4, BOOT_ORDER="A B", BOOT_A_LEFT=3, BOOT_B_LEFT=3, PADDING="x" * 2000))
        bad[512:] = older[512:]
    device.write(*((bad, good) if broken == 0 else (good, bad)))
    assert device.fw_printenv()["BOOT_A_LEFT"] == "2", "Linux agrees on which copy counts"
    _, slots = device.boot()
    assert slots == ["B"]
    assert device.fw_printenv() == {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "2", "BOOT_B_LEFT": "2"}
    repaired = device.copies()
    assert all(repaired), "the broken copy was replaced"
    assert repaired[broken].sequence == 6


def test_both_copies_broken_is_like_new(device):
    device.write(bytes(device.size), b"\xff" * device.size)
    console, slots = device.boot()
    assert slots == ["A"] and "both copies of the boot environment are broken" in console
    assert device.fw_printenv() == {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "2", "BOOT_B_LEFT": "3"}


@pytest.mark.parametrize("sequences", [(255, 0), (0, 255)])
def test_sequence_numbers_wrap(device, sequences):
    newer = sequences.index(0)
    copies = [state(device, "A B", 3, 3, 255), state(device, "A B", 3, 3, 255)]
    copies[newer] = state(device, "B A", 3, 3, 0)
    device.write(*copies)
    assert device.fw_printenv()["BOOT_ORDER"] == "B A"
    assert device.boot()[1] == ["B"]
    assert device.copies()[1 - newer].sequence == 1


def test_what_linux_writes_is_what_the_script_reads(device):
    device.write(state(device, "A", 3, 0), state(device, "A", 3, 0))
    # What RAUC does after an installation into B: attempts, then order.
    device.fw_setenv("BOOT_B_LEFT", "3")
    device.fw_setenv("BOOT_ORDER", "B A")
    assert device.boot()[1] == ["B"]
    # And after the health check.
    device.fw_setenv("BOOT_B_LEFT", "3")
    assert device.boot()[1] == ["B"]
    assert device.fw_printenv() == {"BOOT_ORDER": "B A", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "2"}
