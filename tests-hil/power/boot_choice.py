"""Which slot a boot environment stands for: what images/boot/boot.cmd.in promises, in a form that needs no U-Boot.

images/tests/test_boot_script.py holds the script itself to the same promise.
"""


def current(first, second):
    """The copy that counts, of two that may be None: the newer one, the first one when both are as old."""
    if first and second:
        # Sequence numbers are a byte and wrap: the newer one is less than half a turn ahead.
        return second if 0 < (second.sequence - first.sequence) % 256 < 128 else first
    return first or second


def choice(variables):
    """The first slot in the order that has attempts left, or the last one."""
    order = variables["BOOT_ORDER"].split()
    return next((name for name in order if int(variables[f"BOOT_{name}_LEFT"], 16) > 0), order[-1])
