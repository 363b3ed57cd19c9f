"""Reads a log of block writes in the format of Linux's dm-log-writes, as QEMU's `blklogwrites` filter makes it.

Source of the format: `struct log_write_super` and `struct log_write_entry` in Linux's drivers/md/dm-log-writes.c, which QEMU's
block/blklogwrites.c repeats. All numbers are little-endian:

    sector 0      u64 magic, u64 version, u64 entries, u32 sector size; the rest of the sector is unused
    each entry    one sector: u64 sector, u64 sectors, u64 flags, u64 length of a mark's text
                  then the data, that many sectors

What QEMU does within that format, and what follows:
- An entry is made when its request is done, so the order is that of completion. A write that is done while a flush is under way
  stands before that flush, although the disk need not have included it: the log promises a little more than a disk would.
- Zeros that were written as a range are logged as data. FUA is not logged: a write that must not stay in the cache is followed by
  a flush of its own.
- The number of entries in the superblock lags behind; the end of the file counts.
"""

import dataclasses
import mmap
import struct

SECTOR = 512

_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_MAGIC = 0x6A736677736872
_VERSION = 1
_FLUSH = 1


@dataclasses.dataclass(frozen=True)
class Write:
    """Bytes, whole sectors, that were written at a byte offset of the disk."""

    offset: int
    data: memoryview | bytes = dataclasses.field(repr=False)

    @property
    def end(self):
        """The offset behind its last byte."""
        return self.offset + len(self.data)

    @property
    def range(self):
        """Its offsets."""
        return range(self.offset, self.end)


@dataclasses.dataclass(frozen=True)
class Flush:
    """All writes before it are on the medium."""


@dataclasses.dataclass(frozen=True)
class Log:
    """The requests, in order; and for each the length that the log's file had when it was complete."""

    requests: list[Write | Flush]
    ends: list[int]


def read(path):
    """A log of which the last entry may be incomplete. Its data stays in the file, which must not be changed afterwards."""
    with open(path, "rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    magic, version, _, sector = _SUPER.unpack_from(content)
    if (magic, version, sector) != (_MAGIC, _VERSION, SECTOR):
        raise ValueError(f"{path} is no log of writes in sectors of {SECTOR} bytes: magic {magic:#x}, version {version}, sector {sector}")
    log, at = Log([], []), SECTOR
    while at + SECTOR <= len(content):
        first, count, flags, _ = _ENTRY.unpack_from(content, at)
        data = content[at + SECTOR:at + SECTOR + count * SECTOR]
        if len(data) < count * SECTOR:
            break
        at += SECTOR + len(data)
        if flags == _FLUSH and count == 0:
            log.requests.append(Flush())
        elif flags == 0 and count > 0:
            log.requests.append(Write(first * SECTOR, data))
        else:
            # A discard (4) leaves anything behind: nothing on the device makes one, and an image could not be told from it.
            raise ValueError(f"{path}: request {len(log.requests)} has flags {flags:#x} and {count} sectors, which is neither write nor flush")
        log.ends.append(at)
    return log
