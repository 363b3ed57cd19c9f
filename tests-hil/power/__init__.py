"""What is on a device's disk after its power failed at some moment: made from a record of all that was written, without a device.

A killed QEMU is no power cut: what the device wrote is in the host's memory and gets to the disk all the same. A disk has a
cache, and what was not flushed is there, or isn't, in any combination, and the write that was under way may be torn.

    write_log   reads the record that QEMU's blklogwrites filter made
    moments     picks the moments of an update
    crash       says what survives at a moment, and writes it to an image
    slots       says which system a slot of an image holds, if it is a whole one
"""
