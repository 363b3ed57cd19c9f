"""Which moments of an update the power fails at: random ones, but of each kind enough.

Most writes of an update fill the slot, and a moment drawn from all would hardly ever be one that decides which slot boots.
"""

import dataclasses
import enum

from .write_log import Write


class Phase(enum.Enum):
    """What the one who updates the device sees of it."""

    INSTALL = enum.auto()
    #: From the command to the boot script's last word.
    REBOOT = enum.auto()
    #: From there until the new slot is marked good.
    FIRST_BOOT = enum.auto()


class Stage(enum.Enum):
    """What is being written."""

    COPY = "the image, to the slot"
    STATUS = "RAUC's status, during the installation"
    INSTALL_ENVIRONMENT = "the boot environment, by RAUC's installation"
    SHUTDOWN = "the data partition, at the reboot"
    BOOT_ENVIRONMENT = "the boot environment, by the boot script"
    FIRST_BOOT = "the data partition, in the first boot of the new slot"
    CONFIRM_ENVIRONMENT = "the boot environment, by mark-good"


ENVIRONMENT = {
    Phase.INSTALL: Stage.INSTALL_ENVIRONMENT, Phase.REBOOT: Stage.BOOT_ENVIRONMENT, Phase.FIRST_BOOT: Stage.CONFIRM_ENVIRONMENT}
DATA = {Phase.INSTALL: Stage.STATUS, Phase.REBOOT: Stage.SHUTDOWN, Phase.FIRST_BOOT: Stage.FIRST_BOOT}

#: Twenty moments, and for any other number again from the front: eight of twenty tear the environment.
MIX = [
    Stage.COPY, Stage.INSTALL_ENVIRONMENT, Stage.BOOT_ENVIRONMENT, Stage.FIRST_BOOT, Stage.CONFIRM_ENVIRONMENT,
    Stage.COPY, Stage.INSTALL_ENVIRONMENT, Stage.STATUS, Stage.SHUTDOWN, Stage.COPY,
    Stage.INSTALL_ENVIRONMENT, Stage.BOOT_ENVIRONMENT, Stage.FIRST_BOOT, Stage.CONFIRM_ENVIRONMENT, Stage.COPY,
    Stage.INSTALL_ENVIRONMENT, Stage.STATUS, Stage.SHUTDOWN, Stage.FIRST_BOOT, Stage.COPY,
]


@dataclasses.dataclass(frozen=True)
class Moment:
    """The power fails while the request `at` is under way: it is the one that is torn."""

    at: int
    stage: Stage

    @property
    def cut(self):
        """How many requests there were."""
        return self.at + 1


def stages(log, marks, layout):
    """The stage of each request: None when it is a flush or none of the update's. `marks` are phases, each with the length that
    the log had when it began, and at last None with the length at the end."""
    marks, phase, found = list(marks), None, []
    begin = 0
    for request, end in zip(log.requests, log.ends, strict=True):
        while marks and marks[0][1] <= begin:
            phase = marks.pop(0)[0]
        found.append(_stage(request, phase, layout))
        begin = end
    return found


def _stage(request, phase, layout):
    if phase is None or not isinstance(request, Write):
        return None
    if any(request.offset in copy for copy in layout.environment):
        return ENVIRONMENT[phase]
    if any(request.offset in slot for slot in layout.slots.values()):
        return Stage.COPY
    return DATA[phase] if request.offset in layout.data else None


def pick(found, count, random):
    """Moments in their order, from the stages of all requests. None is picked twice before all of its stage are."""
    left, moments = {stage: [] for stage in MIX}, []
    for number in range(count):
        stage = MIX[number % len(MIX)]
        if not left[stage]:
            left[stage] = [at for at, of in enumerate(found) if of == stage]
            assert left[stage], f"the update wrote nothing of this kind: {stage.value}"
            random.shuffle(left[stage])
        moments.append(Moment(left[stage].pop(), stage))
    return sorted(moments, key=lambda moment: moment.at)
