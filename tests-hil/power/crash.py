"""What a disk holds when its power fails.

The model is a disk with a cache that writes back in any order. Until a flush is done, each write before it is on the medium or is
not, whatever became of the others. One of them may be torn: a sector is written whole or not at all, which is what disks promise,
but of several sectors only the first ones are new, or only the last ones.
"""

import dataclasses

from .write_log import SECTOR, Flush, Write


@dataclasses.dataclass(frozen=True)
class Crash:
    """The power fails after `cut` requests: the first `durable` of them are on the medium, and of the others what `survivors` says."""

    cut: int
    durable: int
    survivors: list[Write]
    #: For people: what became of the writes that were not flushed.
    fate: str


def crash(requests, cut, random, torn=None):
    """Rolls the dice. `torn` is the number of the write that is torn, which must not be flushed; else any, or none."""
    flushes = [at for at, request in enumerate(requests[:cut]) if isinstance(request, Flush)]
    durable = flushes[-1] + 1 if flushes else 0
    assert torn is None or durable <= torn < cut, f"request {torn} is not in the cache when the power fails after {cut}"
    # A single sector can't be torn.
    divisible = [at for at in range(durable, cut) if len(requests[at].data) > SECTOR]
    if torn is None:
        torn = random.choice([None, *divisible])
    survivors, fate = [], []
    for at in range(durable, cut):
        write = requests[at]
        if at == torn and at in divisible:
            survivors.append(part := _tear(write, random))
            fate.append(f"{len(part.data)} of {len(write.data)} bytes written at {write.offset:#x} from {part.offset:#x} on")
        elif random.random() < 0.5:
            survivors.append(write)
    whole = len(survivors) - len(fate)
    return Crash(cut, durable, survivors, ", ".join([f"{whole} of {cut - durable} unflushed writes", *fate]))


def _tear(write, random):
    kept = random.randrange(1, len(write.data) // SECTOR) * SECTOR
    if random.random() < 0.5:
        return Write(write.offset, write.data[:kept])
    return Write(write.end - kept, write.data[-kept:])
