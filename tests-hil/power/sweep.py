"""Looks at every moment of an update, without a device: whatever the disk then holds, it must stand for a slot that is whole."""

import hashlib
from bisect import bisect_left

from uboot import Copy

from .boot_choice import choice, current
from .crash import crash
from .write_log import Write


class Slots:
    """The digests of the slots' contents. Hashing one takes a second, so it is done only when something was written there."""

    def __init__(self, requests, parts, medium):
        self._parts, self._medium, self._known = parts, medium, {}
        self._changes = {slot: [at for at, request in enumerate(requests) if isinstance(request, Write) and request.offset in part]
                         for slot, part in parts.items()}

    def digest(self, slot, failure):
        """Of what the slot holds after the failure."""
        durable, written = (bisect_left(self._changes[slot], at) for at in (failure.durable, failure.cut))
        if durable != written:
            return self._hash(slot, failure)
        if (slot, durable) not in self._known:
            self._known[slot, durable] = self._hash(slot, failure)
        return self._known[slot, durable]

    def _hash(self, slot, failure):
        return hashlib.sha256(self._medium.read(failure, self._parts[slot])).hexdigest()


def sweep(requests, stages, layout, medium, systems, random, fates):
    """The power fails after each write of an update, `fates` times. `medium` replays the requests; `systems` are the digests of the
    systems that a slot may hold. How many failures were looked at; an AssertionError says which one is not safe."""
    slots, tries = Slots(requests, layout.slots, medium), 0
    for at in (at for at, stage in enumerate(stages) if stage is not None):
        for _ in range(fates):
            failure = crash(requests, at + 1, random)
            where = f"when the power fails after request {at}, writing {stages[at].value}; on the medium: {failure.fate}"
            environment = current(*(Copy.parse(medium.read(failure, copy)) for copy in layout.environment))
            assert environment is not None, f"both copies of the environment are broken {where}"
            slot = choice(environment.variables)
            assert slots.digest(slot, failure) in systems, f"slot {slot} would be booted and is not whole {where}"
            tries += 1
    return tries
