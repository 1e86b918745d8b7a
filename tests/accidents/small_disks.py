"""Disks that are full or may not be written, real ones where this machine lets a test make them."""

import builtins
import contextlib
import errno
import io
import os
import subprocess
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder, size):
    """`folder` as a disk of its own with `size` bytes; skips where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "none", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def read_only(folder):
    """Within the block nothing below a mounted `folder` can be written, not even by root."""
    _mount("-o", "remount,ro", str(folder))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(folder))


def _mount(*arguments):
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


def fill(folder, left):
    """Fills a disk but for about `left` bytes; remove the file that is returned to free it."""
    filler = Path(folder) / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    size = filler.stat().st_size
    os.truncate(filler, max(size - left, 0) // 4096 * 4096)
    return filler


class RefusedWrites:
    """From the n-th file that is opened for writing below a folder on, the disk is full.

    Args:
        folder: elsewhere there is space.
        at: which one, from 1; None only counts.
        when: `"open"`: no file can be made; `"write"`: it can, and the first byte is refused.
    """

    def __init__(self, folder, at=None, when="open"):
        self.folder, self.at, self.when, self.count = os.path.realpath(folder), at, when, 0

    @contextlib.contextmanager
    def planted(self):
        opened = builtins.open

        def opening(file, mode="r", *args, **kwargs):
            written = not isinstance(file, int) and set(mode) & set("wax")
            if not written or not os.path.realpath(os.fspath(file)).startswith(self.folder):
                return opened(file, mode, *args, **kwargs)
            self.count += 1
            if self.at is None or self.count < self.at:
                return opened(file, mode, *args, **kwargs)
            if self.when == "open":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            stream = opened(file, mode, *args, **kwargs)
            return _Full(stream)

        builtins.open = io.open = opening
        try:
            yield self
        finally:
            builtins.open = io.open = opened


class _Full:
    """A file whose writes fail as the system's do: without saying which file it was."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stream.close()

    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
