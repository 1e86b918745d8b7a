"""What a folder holds, without what two equal runs may differ in: times of day and durations."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np

MARKS = (".partial-", ".replaced-")
_TIMES = {"seconds", "finished", "command", "evaluate_seconds", "train_seconds", "ms_per_step"}
# calls.csv has a row for each call, and a run that was killed had two.
_LEFT_OUT = {"report.html", "times.json", "times.csv", "calls.csv", ".lock"}


def leftovers(folder):
    """Names of temporary files and folders below `folder`."""
    found = (path for path in Path(folder).rglob("*") if path.name.startswith(MARKS))
    return sorted(str(path.relative_to(folder)) for path in found)


def snapshot(folder, ignore=()):
    """Relative path → content that can be compared: of every file below `folder`.

    Args:
        ignore: names of files, or of folders with all that is in them, to leave out.
    """
    folder, found = Path(folder), {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_dir() or {*relative.parts} & {*ignore, *_LEFT_OUT}:
            continue
        found[relative.as_posix()] = content(path)
    return found


def content(path):
    """The comparable content of a file."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return _datasets(io.BytesIO(archive.read("model.weights.h5")))
    if path.suffix == ".h5":
        return _datasets(path)
    if path.name.startswith("variables.data-"):
        return _variables(path.with_name("variables"))
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text()))
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [
                {k: v for k, v in row.items() if k not in _TIMES} for row in csv.DictReader(file)
            ]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_same(found, expected):
    """Two snapshots hold the same files with the same content, bit by bit."""
    alone = sorted(set(found) ^ set(expected))
    assert not alone, f"in one of the two only: {', '.join(alone)}"
    different = [name for name in expected if found[name] != expected[name]]
    assert not different, f"{different[0]}: {found[different[0]]} != {expected[different[0]]}"


def _datasets(file):
    """HDF5 path → type, shape and bytes of each array."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item)
            found[name] = (str(value.dtype), value.shape, value.tobytes())

    with h5py.File(file) as opened:
        opened.visititems(visit)
    return found


def _variables(prefix):
    """Digests of a SavedModel's weights.

    Names in its object graph come from a process's counters, and whole numbers are the states of
    random generators without a seed, which nothing that is exported draws from.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    types = reader.get_variable_to_dtype_map()
    weights = sorted(name for name, kind in types.items() if kind.is_floating)
    return {name: hashlib.sha256(reader.get_tensor(name).tobytes()).hexdigest() for name in weights}


def _without_times(value):
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if k not in _TIMES}
    return [_without_times(v) for v in value] if isinstance(value, list) else value
