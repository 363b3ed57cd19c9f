"""What is on a device's disk after its power failed at some moment: made from a log of all that was written, without a device.

A killed QEMU is no power cut: what the device wrote is in the host's memory and gets to the disk all the same. A disk has a
cache, and what was not flushed is there, or isn't, in any combination, and the write that was under way may be torn.

    write_log      reads the log that QEMU's blklogwrites filter made
    layout         where things are on the disk
    moments        which moments of an update
    crash          what survives of the writes before a moment
    replay         what the disk then holds
    boot_choice    which slot the boot script would choose
    sweep          all moments: is that slot whole
    range_server   where the device gets its updates from
"""
