"""The disk of a machine as it should be: derived here once more, and apart from what the builders do."""

from dataclasses import dataclass

GPT_TYPES = {"fat": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "linux": "0FC63DAF-8483-4772-8E79-3D69D8477DE4"}
MBR_TYPES = {"fat": "c", "linux": "83"}
# Partitions in their order on the disk: name in layout and machine files, kind, which size.
UBOOT = [("BOOT", "fat", "BOOT_MIB"), ("ROOTFS_A", "linux", "ROOTFS_MIB"), ("ROOTFS_B", "linux", "ROOTFS_MIB"), ("DATA", "linux", "DATA_MIB")]
TRYBOOT = [("BOOT", "fat", "BOOT_MIB"), ("BOOT_A", "fat", "BOOT_SLOT_MIB"), ("BOOT_B", "fat", "BOOT_SLOT_MIB"), *UBOOT[1:]]


@dataclass(frozen=True)
class Partition:
    """One partition; start and size in MiB."""

    number: int
    name: str
    start: int
    size: int
    type: str
    partuuid: str


def partitions(values):
    """The partitions of a machine, from the values of layout.env and the machine's file."""
    types = GPT_TYPES if values["PARTITION_TABLE"] == "gpt" else MBR_TYPES
    start, found = int(values["FIRST_PARTITION_MIB"]), []
    for name, kind, size_name in TRYBOOT if values["BOOTLOADER"] == "tryboot" else UBOOT:
        size = int(values[size_name])
        found.append(Partition(int(values[f"{name}_PARTITION"]), name.lower().replace("_", "-"), start, size, types[kind],
                               values[f"{name}_PARTUUID"]))
        start += size
    return found
