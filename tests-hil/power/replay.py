"""Replays what survived into an image of the disk."""

import os
import subprocess

from .write_log import Write

COPY_S = 300


class Replay:
    """The disk as a log goes on, forwards only: crashes are looked at in the order of their cuts."""

    def __init__(self, requests, factory, size, path):
        """`factory` is the image that the disk had before the first request; `size` is the disk's, which may be larger. What is
        on the medium is kept at `path`."""
        self._requests, self._path, self._done = requests, path, 0
        _copy(factory, path)
        os.truncate(path, size)

    def write(self, crash, path):
        """Makes the image that the crash leaves."""
        self._advance(crash)
        _copy(self._path, path)
        _apply(crash.survivors, path)

    def read(self, crash, part):
        """The bytes in a range of the disk that the crash leaves."""
        self._advance(crash)
        with open(self._path, "rb") as medium:
            medium.seek(part.start)
            content = bytearray(medium.read(len(part)))
        for write in crash.survivors:
            begin, end = max(write.offset, part.start), min(write.end, part.stop)
            if begin < end:
                content[begin - part.start:end - part.start] = write.data[begin - write.offset:end - write.offset]
        return content

    def _advance(self, crash):
        assert self._done <= crash.durable, f"request {crash.durable} has been replayed already: {self._done} are done"
        _apply(self._requests[self._done:crash.durable], self._path)
        self._done = crash.durable


def _copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True, timeout=COPY_S)


def _apply(requests, path):
    with open(path, "r+b") as image:
        for request in requests:
            if isinstance(request, Write):
                image.seek(request.offset)
                image.write(request.data)
