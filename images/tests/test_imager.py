"""The list for Raspberry Pi Imager names every Raspberry Pi that there is an image for, with sizes and sums of the real files."""

import hashlib
import json
import subprocess

import pytest
from test_contract_yocto import KAS_MACHINES
from wks import LAYER

PROGRAM = LAYER / "scripts/imager-repository"
BOARDS = [machine for machine in KAS_MACHINES if machine.startswith("raspberrypi")]


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def deploy(tmp_path):
    for machine in BOARDS:
        disk = tmp_path / f"microkernel-image-{machine}.rootfs.wic"
        disk.write_bytes(machine.encode() * 5000)
        subprocess.run(["zstd", "-q", disk], check=True, timeout=60)
    return tmp_path


def test_every_board_is_listed_with_what_imager_checks(deploy):
    done = run(deploy, "https://images.example.org/")
    assert done.returncode == 0, done.stderr
    listed = {entry["url"].rsplit("/", 1)[1]: entry for entry in json.loads(done.stdout)["os_list"]}
    assert set(listed) == {path.name for path in deploy.glob("*.zst")}
    for name, entry in listed.items():
        packed, unpacked = (deploy / name).read_bytes(), (deploy / name.removesuffix(".zst")).read_bytes()
        assert (entry["image_download_size"], entry["image_download_sha256"]) == (len(packed), hashlib.sha256(packed).hexdigest())
        assert (entry["extract_size"], entry["extract_sha256"]) == (len(unpacked), hashlib.sha256(unpacked).hexdigest())
        assert entry["url"].startswith("https://images.example.org/microkernel-image-")
        assert entry["init_format"] == "cloudinit", "the settings dialogue"


def test_a_folder_without_images_is_an_error(tmp_path):
    done = run(tmp_path, "https://images.example.org")
    assert done.returncode != 0 and str(tmp_path) in done.stderr
