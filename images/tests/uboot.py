"""The boot script in the real U-Boot under QEMU, on a disk with an environment of the test's choice and no kernels."""

import os
import re
import select
import subprocess
import time
import zlib

MIB = 1 << 20


class Copy:
    """One copy of the environment: [CRC-32][sequence number][NAME=VALUE, NUL-separated]."""

    def __init__(self, size, sequence=1, **variables):
        self.size, self.sequence, self.variables = size, sequence, variables

    def __bytes__(self):
        text = "".join(f"{name}={value}\0" for name, value in self.variables.items()).encode() + b"\0"
        data = text.ljust(self.size - 5, b"\0")
        return zlib.crc32(data).to_bytes(4, "little") + bytes([self.sequence]) + data

    @classmethod
    def parse(cls, raw):
        """None where the checksum is wrong."""
        if int.from_bytes(raw[:4], "little") != zlib.crc32(raw[5:]):
            return None
        text = raw[5:].split(b"\0\0")[0].decode()
        return cls(len(raw), raw[4], **dict(line.split("=", 1) for line in text.split("\0") if line))


class Device:
    """A disk and what is done with it."""

    def __init__(self, folder, layout, toolbox, boot_scr):
        self.layout, self.disk, self.bios = layout, folder / "disk.img", toolbox / "usr/lib/u-boot/qemu_arm64/u-boot.bin"
        self.size = int(layout["ENV_SIZE"], 0)
        self.offsets = [int(layout[f"ENV_OFFSET_{n}"], 0) for n in range(2)]
        start, size = int(layout["FIRST_PARTITION_MIB"]), int(layout["BOOT_MIB"])
        with open(self.disk, "wb") as disk:
            disk.truncate((start + size + 16) * MIB)
        subprocess.run(["sfdisk", "-q", self.disk], check=True, text=True, timeout=30, input=(
            f"label: gpt\nfirst-lba: 2048\nstart={start}MiB, size={size}MiB, "
            "type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, attrs=LegacyBIOSBootable\n"))
        boot = folder / "boot.vfat"
        boot.write_bytes(b"")
        os.truncate(boot, size * MIB)
        subprocess.run(["mkfs.vfat", boot], check=True, capture_output=True, timeout=30)
        subprocess.run(["mcopy", "-i", boot, boot_scr, "::boot.scr"], check=True, timeout=30)
        subprocess.run(["dd", f"if={boot}", f"of={self.disk}", "bs=1M", f"seek={start}", "conv=notrunc,sparse"],
                       check=True, capture_output=True, timeout=30)
        self.config = folder / "fw_env.config"
        self.config.write_text("".join(f"{self.disk} {offset:#x} {self.size:#x}\n" for offset in self.offsets))

    def copy(self, sequence=1, **variables):
        return Copy(self.size, sequence, **variables)

    def write(self, *copies):
        """Puts copies, or raw bytes, on the disk."""
        with open(self.disk, "r+b") as disk:
            for offset, copy in zip(self.offsets, copies):
                disk.seek(offset)
                disk.write(bytes(copy))

    def raw(self):
        with open(self.disk, "rb") as disk:
            result = []
            for offset in self.offsets:
                disk.seek(offset)
                result.append(disk.read(self.size))
            return result

    def copies(self):
        return [Copy.parse(raw) for raw in self.raw()]

    def fw_printenv(self):
        """What Linux (libubootenv) reads."""
        done = subprocess.run(["fw_printenv", "-c", self.config], check=True, capture_output=True, text=True, timeout=30)
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def fw_setenv(self, name, value):
        subprocess.run(["fw_setenv", "-c", self.config, name, value], check=True, timeout=30)

    def boot(self, starts=1, deadline_s=240):
        """Powers on, lets the script run this many times (without a kernel it resets), cuts the power; its console and slots."""
        command = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512", "-nographic", "-bios", self.bios,
                   "-net", "none", "-drive", f"if=none,id=d,file={self.disk},format=raw,cache=writethrough",
                   "-device", "virtio-blk-pci,drive=d"]
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        console, end = b"", time.monotonic() + deadline_s
        # After the choice, and after the environment was written.
        done = re.compile(rb"microkernel: (booting slot|BOOT_ORDER is empty).*?\n")
        try:
            while len(done.findall(console)) < starts:
                assert time.monotonic() < end, console.decode(errors="replace")[-2000:]
                if select.select([machine.stdout], [], [], 1)[0]:
                    chunk = os.read(machine.stdout.fileno(), 65536)
                    assert chunk, console.decode(errors="replace")[-2000:]
                    console += chunk
        finally:
            machine.kill()
            machine.wait(timeout=30)
        text = console.decode(errors="replace")
        return text, re.findall(r"microkernel: booting slot (\w)", text)
