"""Ends a computation at its n-th file operation in this process, as SIGKILL would end it.

From that operation on every further one fails too, those in `finally` blocks included: what is on
disk is what a kill at that moment would leave. So each moment that differs on disk can be tried in
turn, in milliseconds.
"""

import builtins
import contextlib
import io
import os
from pathlib import Path

_NAMES = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync")


class Killed(BaseException):
    """Stands for the end of the process; no handler of errors may stop it."""


class CrashPoints:
    """Counts the file operations below a folder and stops at one of them.

    Args:
        folder: operations elsewhere are let through uncounted.
        at: the operation to stop before, from 1; None only counts.

    Attributes:
        log: `(operation, path)` of each one that was counted.
        by_name: files opened for writing whose name is not that of a temporary file.
    """

    def __init__(self, folder, at=None):
        self.folder, self.at = os.path.realpath(folder), at
        self.log, self.by_name = [], []
        self._dead = False

    @contextlib.contextmanager
    def planted(self):
        """Within the block the operations are counted, and `Killed` comes at the chosen one."""
        before = {name: getattr(os, name) for name in (*_NAMES, "getpid")}
        opened = builtins.open
        for name in _NAMES:
            setattr(os, name, self._counted(name, before[name]))
        # A process that is killed is another one than the one that goes on.
        os.getpid = lambda: 987_654_321
        builtins.open = io.open = self._counted_open(opened)
        try:
            yield self
        finally:
            for name, function in before.items():
                setattr(os, name, function)
            builtins.open = io.open = opened

    def _counted(self, name, function):
        def operation(path, *args, **kwargs):
            if name == "fsync":
                if self._is_below(f"/proc/self/fd/{path}"):
                    self._step(name, path)
                return None  # slow, and of no consequence for what a kill leaves
            # `shutil.rmtree` gives names relative to an open folder.
            base = kwargs.get("dir_fd")
            place = path if base is None else f"/proc/self/fd/{base}/{path}"
            if self._is_below(place):
                self._step(name, path)
            return function(path, *args, **kwargs)

        return operation

    def _counted_open(self, function):
        def opening(file, mode="r", *args, **kwargs):
            if not isinstance(file, int) and set(mode) & set("wax+") and self._is_below(file):
                self._step("open", file)
                below = Path(os.path.realpath(file)).relative_to(self.folder)
                if not any(part.startswith((".partial-", ".lock")) for part in below.parts):
                    self.by_name.append(str(file))
            return function(file, mode, *args, **kwargs)

        return opening

    def _is_below(self, path):
        return os.path.realpath(os.fspath(path)).startswith(self.folder)

    def _step(self, name, path):
        if not self._dead:
            self.log.append((name, str(path)))
            self._dead = len(self.log) == self.at
        if self._dead:
            raise Killed(f"{name} {path}")


def each_crash(command, folder, before=None, last_replaced=False):
    """Runs `command(place)` once to its end, then in new places killed at each operation in turn.

    Args:
        command: a function of the place; called again in the same place it has to go on.
        folder: for the places.
        before: called with each place first, to make what an earlier command left there.
        last_replaced: stop only where a file is about to get its name, and of those that are
            written again and again at the last time: all that can stand under the files' own names,
            without much of the time.

    Yields:
        `(undisturbed place, killed place)`: look at the latter, run the command in it and compare.
    """

    def new_place(name):
        place = Path(folder) / name
        place.mkdir(parents=True)
        if before is not None:
            before(place)
        return place

    whole = new_place("undisturbed")
    with CrashPoints(whole).planted() as counted:
        command(whole)
    assert not counted.by_name, f"written under their own names: {counted.by_name}"
    operations = [name for name, _ in counted.log]
    numbers = {operation: at for at, operation in enumerate(counted.log, 1)}
    for at, name in enumerate(operations, 1):
        if last_replaced and (name != "replace" or numbers[counted.log[at - 1]] != at):
            continue
        place, points = new_place(f"killed-{at}"), None
        try:
            with CrashPoints(place, at).planted() as points:
                command(place)
        except Killed:
            pass
        else:
            raise AssertionError(f"operation {at} ({name}) did not come")
        assert [name for name, _ in points.log] == operations[:at]
        yield whole, place
