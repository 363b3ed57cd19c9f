"""Where things are on the disk, in bytes: images/layout.env, with what follows from it."""

import dataclasses
import hashlib

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Layout:
    """The two copies of the boot environment, the slots by their names, the data partition up to the disk's end."""

    environment: tuple[range, range]
    slots: dict[str, range]
    data: range

    @classmethod
    def of(cls, variables, disk_size):
        """From the variables of images/layout.env: boot, A, B, data, one after the other."""
        size = int(variables["ENV_SIZE"], 16)
        copies = (int(variables[f"ENV_OFFSET_{copy}"], 16) for copy in (0, 1))
        slot = int(variables["ROOTFS_MIB"]) * MIB
        a = (int(variables["FIRST_PARTITION_MIB"]) + int(variables["BOOT_MIB"])) * MIB
        b, data = a + slot, a + 2 * slot
        return cls(tuple(range(at, at + size) for at in copies), {"A": range(a, b), "B": range(b, data)}, range(data, disk_size))


def digest(path, part=None):
    """The SHA-256 of a file, or of a range of it."""
    with open(path, "rb") as file:
        if part is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(part.start)
        sum_ = hashlib.sha256()
        left = len(part)
        while left and (block := file.read(min(left, MIB))):
            sum_.update(block)
            left -= len(block)
        assert left == 0, f"{path} ends {left} bytes before {part}"
        return sum_.hexdigest()
