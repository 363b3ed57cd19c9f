"""RAUC's backend for the Raspberry Pi 5's firmware, and the check of the firmware's age: run as they are installed.

The firmware's part (which partition it boots, by autoboot.txt and the one-shot flag) is played by the test.
"""

import subprocess
from pathlib import Path

import pytest
from conftest import machine_values

VALUES = machine_values("raspberrypi5")
NUMBERS = {VALUES["BOOT_A_PARTITION"]: "A", VALUES["BOOT_B_PARTITION"]: "B"}


class Board:
    """A disk's first partition, the data partition, and a memory that forgets with each start."""

    def __init__(self, folder, rendered):
        self.folder, self.rendered = folder, rendered
        for name in ("boot", "state", "run"):
            (folder / name).mkdir()
        self.autoboot = folder / "boot/autoboot.txt"
        self.autoboot.write_text((rendered / "autoboot.txt").read_text())
        self.start()

    @property
    def reboot_parameter(self):
        return self.folder / "run/systemd/reboot-param"

    def start(self):
        """What the firmware does: the [tryboot] section once after such a reboot, [all] otherwise. Returns the slot."""
        trial = self.reboot_parameter.exists() and self.reboot_parameter.read_text() == "0 tryboot\n"
        self.reboot_parameter.unlink(missing_ok=True)
        sections = self.autoboot.read_text().split("[tryboot]")
        self.slot = NUMBERS[sections[1 if trial else 0].split("boot_partition=")[1].split()[0]]
        line = (self.rendered / f"cmdline-{self.slot.lower()}.txt").read_text()
        (self.folder / "cmdline").write_text(line)
        return self.slot

    def power_cut(self):
        self.reboot_parameter.unlink(missing_ok=True)
        return self.start()

    def run(self, *arguments):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BOOT": self.folder / "boot", "STATE": self.folder / "state",
                       "RUN": self.folder / "run", "COMMAND_LINE": self.folder / "cmdline"}
        return subprocess.run([self.rendered / "usr/lib/rauc/tryboot", *arguments], env=environment, capture_output=True,
                              text=True, timeout=30, check=False)

    def rauc(self, *arguments):
        """A call of RAUC's; it expects success, and one word or none."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def install(self, slot):
        """RAUC's calls around an installation."""
        self.rauc("set-state", slot, "bad")
        self.rauc("set-primary", slot)

    def confirm(self):
        """device-confirm.service after the health check."""
        self.rauc("set-state", self.slot, "good")


@pytest.fixture
def board(tmp_path, rendered):
    return Board(tmp_path, rendered("raspberrypi5"))


def test_a_new_disk_boots_a(board):
    assert board.slot == board.rauc("get-current") == board.rauc("get-primary") == "A"
    board.confirm()
    assert board.start() == "A" and board.rauc("get-state", "A") == "good"


def test_a_good_update_is_tried_once_and_stays(board):
    board.install("B")
    assert board.rauc("get-primary") == "B" and board.rauc("get-state", "B") == "good"
    assert board.start() == "B"
    assert board.rauc("get-primary") == "A", "until it is confirmed"
    board.confirm()
    assert board.rauc("get-primary") == "B"
    assert board.start() == "B" and board.power_cut() == "B"
    assert board.rauc("get-state", "A") == "good"


@pytest.mark.parametrize("end", ["start", "power_cut"])
def test_a_bad_update_has_one_attempt(board, end):
    board.install("B")
    assert board.start() == "B"
    assert getattr(board, end)() == "A"
    assert board.rauc("get-primary") == "A" and board.rauc("get-state", "B") == "bad"
    assert board.start() == "A", "and no second one"


def test_a_power_cut_before_the_trial_leaves_the_old_slot_and_says_that_the_new_one_was_not_confirmed(board):
    board.install("B")
    assert board.power_cut() == "A"
    assert board.rauc("get-state", "B") == "bad"


def test_an_update_after_a_bad_one_is_tried_again(board):
    board.install("B")
    board.start()
    board.start()
    board.install("B")
    assert board.start() == "B"
    board.confirm()
    board.install("A")
    assert board.start() == "A"
    board.confirm()
    assert board.start() == "A"


def test_choosing_the_running_slot_takes_a_trial_back(board):
    board.install("B")
    board.rauc("set-primary", "A")
    assert board.rauc("get-primary") == "A" and board.start() == "A"


def test_the_default_marked_bad_hands_over_to_the_other_slot_only_if_that_is_not_bad(board):
    board.rauc("set-state", "A", "bad")
    assert board.rauc("get-primary") == "B"
    board.rauc("set-state", "B", "bad")
    assert board.rauc("get-primary") == "B", "somebody has to boot"


def test_autoboot_is_rewritten_in_place(board):
    before = board.autoboot.stat()
    board.install("B")
    assert board.autoboot.read_text() == (board.rendered / "autoboot.txt").read_text(), "a trial changes nothing on the disk"
    board.start()
    board.confirm()
    after = board.autoboot.stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size) and after.st_size <= 512


@pytest.mark.parametrize("arguments", [(), ("get-state", "C"), ("set-state", "A", "so-so"), ("set-primary", "0")])
def test_a_wrong_call_is_refused_and_says_what_was_expected(board, arguments):
    done = board.run(*arguments)
    assert done.returncode != 0 and "expected" in done.stderr
    assert board.start() == "A"


def test_an_autoboot_file_that_names_neither_slot_is_an_error(board):
    board.autoboot.write_text("[all]\nboot_partition=9\n")
    assert board.run("get-primary").returncode != 0


def check_eeprom(folder, rendered, built):
    properties = folder / "chosen/bootloader"
    properties.mkdir(parents=True)
    if built is not None:
        (properties / "build-timestamp").write_bytes(built.to_bytes(4, "big"))
    return subprocess.run([Path(rendered("raspberrypi5"), "usr/lib/rauc/check-eeprom")], env={"DEVICE_TREE": folder, "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("later", [0, 86400, 2**31 - 1 - int(VALUES["EEPROM_MINIMUM"])])
def test_firmware_that_is_new_enough_is_accepted(tmp_path, rendered, later):
    done = check_eeprom(tmp_path, rendered, int(VALUES["EEPROM_MINIMUM"]) + later)
    assert done.returncode == 0, done.stderr


def test_firmware_that_is_too_old_is_refused_with_both_dates(tmp_path, rendered):
    done = check_eeprom(tmp_path, rendered, 1696118400)
    assert done.returncode == 1
    assert "2023-10-01" in done.stderr and "2025-03-10" in done.stderr and "rpi-eeprom-update" in done.stderr


def test_firmware_that_does_not_say_its_age_is_refused(tmp_path, rendered):
    done = check_eeprom(tmp_path, rendered, None)
    assert done.returncode == 1 and "build-timestamp" in done.stderr
