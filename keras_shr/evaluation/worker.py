"""One perturbation worker: a process of its own that never loads Keras.

`Perturber` starts this file as a script. Importing the `keras_shr` package would load Keras and
its backend (seconds and half a gigabyte for each worker, and unsafe to fork), so the packages on
the way to the reference perturbations are registered here as bare names with a search path.

Protocol on the pipes, one pickle each: first `{"path", "source"}` in and `None` or a traceback
out; then any number of `(kind, severity, images, seeds)` in and `(images or None, error)` out.
"""

import importlib
import importlib.util
import os
import pickle
import signal
import sys
import traceback
import types
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def _bare(name, folder):
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def load(source):
    """The function named by `"package.module:function"` or `"file.py:function"`."""
    place, _, name = source.rpartition(":")
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location("perturbation_source", place)
        assert spec is not None  # as the name ends with .py
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    return getattr(module, name)


def perturb_block(perturb, kind, severity, images, seeds):
    """`perturb` on each image of a block `(count, height, width, 3)`, each with its own seed."""
    import numpy as np

    from keras_shr.perturbations.names import SENSOR_PERTURBATIONS

    if kind in SENSOR_PERTURBATIONS:  # the reference library has none of these
        from keras_shr.perturbations.sensor import perturb

    return np.stack(
        [perturb(image, kind, severity, seed) for image, seed in zip(images, seeds, strict=True)]
    )


def main():
    """Serve until the pipe closes, which also happens when the parent is killed."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself

    def answer(value):
        pickle.dump(value, sink, protocol=5)
        sink.flush()

    try:
        start = pickle.load(source)
        sys.path[:] = start["path"]
        _bare("keras_shr", PACKAGE)
        _bare("keras_shr.perturbations", PACKAGE / "perturbations")
        perturb = load(start["source"])
        if "cv2" in sys.modules:
            sys.modules["cv2"].setNumThreads(1)
        answer(None)
    except Exception:
        answer(traceback.format_exc())
        return
    while True:
        try:
            task = pickle.load(source)
        except EOFError:
            return
        try:
            answer((perturb_block(perturb, *task), None))
        except Exception as error:
            answer((None, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main()
