"""Writes what survived to an image of the disk."""

import os
import subprocess

from .write_log import Write

COPY_S = 300


class Replay:
    """An image into which a log is replayed, forwards only: crashes are made in the order of their cuts."""

    def __init__(self, requests, factory, size, folder):
        """`factory` is the image that the disk had before the first request; `size` is the disk's, which may be larger."""
        self._requests, self._done = requests, 0
        self._image = folder / "durable.raw"
        _copy(factory, self._image)
        os.truncate(self._image, size)

    def write(self, crash, path):
        """Makes the image that the crash leaves."""
        assert self._done <= crash.durable, f"request {crash.durable} has been replayed already: {self._done} are done"
        _apply(self._requests[self._done:crash.durable], self._image)
        self._done = crash.durable
        _copy(self._image, path)
        _apply(crash.survivors, path)


def _copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True, timeout=COPY_S)


def _apply(requests, path):
    with open(path, "r+b") as image:
        for request in requests:
            if isinstance(request, Write):
                image.seek(request.offset)
                image.write(request.data)
