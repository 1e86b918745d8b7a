"""The reference perturbations on all cores, in the order they were asked for."""

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from keras_shr._cores import cores
from keras_shr.errors import KerasShrError
from keras_shr.evaluation import worker

REFERENCE = "keras_shr.perturbations.reference:perturb"
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")


class Perturber:
    """Perturbs blocks of images in worker processes.

    The workers are plain child processes fed over pipes, one thread of this process each.
    `multiprocessing` would either fork a process that holds a backend's threads and locks, or run
    the user's main script again in every worker.

    Args:
        workers: number of processes; 0 works in this process, None takes every core.
        source: `"package.module:function"` or `"file.py:function"`, called as
            `function(image, kind, severity, seed)`.
    """

    def __init__(self, workers=None, source=None):
        self.workers = cores() if workers is None else int(workers)
        if self.workers < 0:
            raise KerasShrError(
                f"workers is {workers}; it must be 0 or more, or None for all cores"
            )
        self.source = source or REFERENCE
        self._local = threading.local()
        self._processes: list[subprocess.Popen] = []
        self._function = None if self.workers else worker.load(self.source)
        self._threads = ThreadPoolExecutor(self.workers) if self.workers else None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """End the workers; what they were doing is dropped."""
        if self._threads is None:
            return
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self._threads.shutdown(wait=True)
        for process in self._processes:
            process.kill()  # a thread may have started one meanwhile
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(OSError):  # what was not yet sent has no reader
                    pipe.close()
        self._processes = []

    def perturb(self, kind, severity, images, seeds):
        """One block: uint8 `(count, height, width, 3)` in and out."""
        return next(self.stream([(kind, severity, images, seeds)]))

    def stream(self, tasks):
        """Yield the perturbed block of each `(kind, severity, images, seeds)`, in order.

        `tasks` is read only a little ahead of what was taken, so it may be endless.
        """
        if self._threads is None:
            for task in tasks:
                yield self._here(task)
            return
        waiting: deque = deque()
        for task in tasks:
            waiting.append(self._threads.submit(self._there, task))
            if len(waiting) >= 3 * self.workers + 4:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _here(self, task):
        try:
            return worker.perturb_block(self._function, *task)
        except Exception as error:
            raise failed(task, f"{type(error).__name__}: {error}") from error

    def _there(self, task):
        process: Any = getattr(self._local, "process", None) or self._start()
        try:
            pickle.dump(task, process.stdin, protocol=5)
            process.stdin.flush()
            images, error = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as broken:
            raise KerasShrError(
                f"a perturbation worker ended by itself (exit code {process.wait()}); with too "
                "little memory, ask for fewer workers"
            ) from broken
        if error is not None:
            raise failed(task, error)
        return images

    def _start(self):
        environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}
        # -P keeps this folder, whose modules have everyday names, off the worker's search path.
        process: Any = subprocess.Popen(
            [sys.executable, "-P", str(Path(worker.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._processes.append(process)
        self._local.process = process
        try:
            pickle.dump({"path": sys.path, "source": self.source}, process.stdin)
            process.stdin.flush()
            error = pickle.load(process.stdout)
        except (EOFError, OSError) as broken:
            raise KerasShrError("a perturbation worker could not be started") from broken
        if error is not None:
            raise KerasShrError(f"a perturbation worker cannot import {self.source}: {error}")
        return process


def failed(task, error):
    """The error to raise for `(kind, severity, images, seeds)` that could not be perturbed."""
    return KerasShrError(f"perturbation {task[0]!r} of severity {task[1]} failed: {error}")
