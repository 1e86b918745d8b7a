"""Kills real commands at random moments and looks at what the same command makes of it."""

import os
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from run_snapshot import MARKS, assert_same, leftovers, snapshot

from tests.fork_server import ForkServer

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 900  # seconds after which a command counts as hanging

_NETWORK = "image_size=32 model={'filters':8,'perturbations':['contrast']} batch_size=8"
_SIZE = (
    "train_images=16 validation_images=4 test_images=3 image_size=32 steps=6 epochs=3 "
    "images_per_step=6 severities=[3] filters=[8] heatmap_stride=2"
)

COMMANDS = {
    "prepare": "prepare rendered 24 out --size 32 --shards 6 --workers 2",
    "fit": "fit --data rendered:16?seed=1 --output out --workers 1 --set epochs=4 "
    f"validation='rendered:4?seed=1&split=val' {_NETWORK}",
    "evaluate": "evaluate made/model.keras rendered:70?seed=1 --split test --output out "
    "--kinds seen --severities 3 --workers 1",
    "export": "export made/model.keras --format saved_model --outputs keypoints --output out/a",
    "export-tflite": "export made/model.keras --format tflite --outputs keypoints "
    "--output out/a.tflite",
    "reproduce": f"reproduce table1 --output out --workers 1 --set {_SIZE}",
}
"""Run in a folder that holds `made`, a finished `fit`; each writes below `out`."""

# What JAX keeps of compiled functions follows the machine; a file of TensorFlow has random numbers,
# another the checksum of names that change (see `run_snapshot`).
_NOT_COMPARED = {"compiled", "fingerprint.pb", "variables.index"}


class Server(ForkServer):
    """Runs commands on a backend; use it in a `with` block."""

    def __init__(self, backend):
        file = Path(__file__).with_name("command_server.py")
        super().__init__(file, LIMIT, KERAS_BACKEND=backend, PYTHONPATH=str(ROOT))

    def command(self, command, folder, moment=None):
        """Runs a command in `folder`, see `ForkServer.run`."""
        return self.run(_in_folder(command, folder), Path(folder) / "log", moment)


def _in_folder(command, folder):
    """The words of a command, with `out` and `made` in `folder`."""
    words = command.split()
    return [str(Path(folder, w)) if w.split("/")[0] in ("out", "made") else w for w in words]


@dataclass
class Tally:
    """What the kills of one command came to."""

    kills: int = 0
    during_writes: int = 0
    too_late: int = 0
    finished: int = 0
    with_leftovers: int = 0
    undisturbed_seconds: float = 0.0
    problems: list = field(default_factory=list)


def kill_and_finish(server, name, folder, kills, each=5, seed=0):
    """Kills a command `kills` times in all, at most `each` times before it may finish.

    Half of the moments are drawn evenly over the time that an undisturbed run takes; the others
    come a few milliseconds after a temporary file is seen, when names change on disk.

    Args:
        server: `Server`.
        name: a key of `COMMANDS`.
        folder: holds `made` if the command needs it.
        kills: how many in all.
        each: how many in one run.
        seed: of the moments.

    Returns:
        `Tally`; `problems` is empty if all runs ended as the undisturbed one.
    """
    rng, tally, folder = random.Random(seed), Tally(), Path(folder)
    out, command = folder / "out", COMMANDS[name]

    def finish(moment=None):
        """Runs to the end, and what is then in `out`."""
        status = server.command(command, folder, moment)
        assert status == 0, f"{name}: status {status}: {(folder / 'log').read_text()[-2000:]}"
        found = snapshot(out, _NOT_COMPARED)
        left = leftovers(out)
        shutil.rmtree(out)
        return found, left

    seen = set()

    def watch(_):
        seen.update(_temporary(out))
        return False

    first, left = finish(watch)
    assert not left
    started = time.monotonic()
    expected, _ = finish()
    tally.undisturbed_seconds = time.monotonic() - started
    assert_same(expected, first)
    while tally.kills < kills:
        for _ in range(min(each, kills - tally.kills)):
            moment, is_write = _moment(rng, tally.undisturbed_seconds, out, len(seen))
            if server.command(command, folder, moment) is not None:
                tally.too_late += 1
                break
            tally.kills += 1
            tally.during_writes += is_write
            tally.with_leftovers += bool(out.exists() and leftovers(out))
        found, left = finish()
        tally.finished += 1
        try:
            assert_same(found, expected)
            assert not left, f"left behind: {left}"
        except AssertionError as problem:
            tally.problems.append(f"seed {seed}, run {tally.finished}: {problem}"[:500])
    return tally


def _moment(rng, seconds, out, writes):
    if rng.random() < 0.5:
        chosen = rng.uniform(0, seconds)
        return lambda passed: passed >= chosen, False
    number, later = rng.randint(1, min(12, max(1, writes))), rng.uniform(0, 0.01)
    seen, first = set(), []

    def written(_):
        seen.update(_temporary(out))
        if len(seen) >= number and not first:
            first.append(time.monotonic())
        return bool(first) and time.monotonic() >= first[0] + later

    return written, True


def _temporary(folder):
    """Temporary names below a folder, which may change while it is looked at."""
    found, folders = [], [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(MARKS):
                        found.append((entry.path, entry.inode()))
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except FileNotFoundError:
            continue
    return found
