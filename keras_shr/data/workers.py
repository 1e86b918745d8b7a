"""The same function on many tasks in several processes that never load Keras.

`multiprocessing` would either fork a process whose backend has threads running, or start new ones
that import the caller's script and with it Keras (seconds and half a gigabyte each). These workers
import only the module of the function they are given.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

from keras_shr.errors import KerasShrError

_PACKAGE = Path(__file__).resolve().parent.parent
_WORKER = Path(__file__).with_name("_worker.py")
_END = object()
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_tasks(
    function: Callable, tasks: Iterable, shared: Any, workers: int
) -> Generator[tuple[Any, Any], None, None]:
    """`function(shared, task)` for each task; yields `(task, result)` in the order of finishing.

    Args:
        function: of a module (not of a script or a notebook), so that it can be pickled.
        tasks: anything that can be pickled.
        shared: handed to each process once.
        workers: processes; 1 or less runs the tasks here, in order.

    Raises:
        KerasShrError: a process ended by itself, killed for its memory for example.
        Exception: the first error of a task, the unfinished tasks being given up.
    """
    tasks = list(tasks)
    workers = min(int(workers), len(tasks))
    if workers <= 1:
        for task in tasks:
            yield task, function(shared, task)
        return
    start = pickle.dumps(
        (
            [str(_PACKAGE.parent), *(p or os.getcwd() for p in sys.path)],
            str(_PACKAGE),
            pickle.dumps(function),
            pickle.dumps(shared, protocol=5),
        )
    )
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    finished: queue.SimpleQueue = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    # Each process is one of many already: it needs no threads of its own for linear algebra.
    environment = os.environ | dict.fromkeys(_THREAD_COUNTS, "1")
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for _ in range(workers)
    ]
    threads = [
        threading.Thread(target=_serve, args=(p, start, waiting, finished), daemon=True)
        for p in processes
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in tasks:
            task, result, error = finished.get()
            if error is not None:
                raise error
            yield task, result
    finally:
        while not waiting.empty():  # a generator that is closed early gives up the rest
            try:
                waiting.get_nowait()
            except queue.Empty:
                break
        for process in processes:
            process.terminate()
        for thread in threads:
            thread.join()
        for process in processes:
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(OSError):  # what was not sent cannot be flushed any more
                    pipe.close()


def _serve(process, start, waiting, finished):
    """Feed one process with tasks, one at a time, until none are left."""
    task = _END
    try:
        process.stdin.write(start)
        while True:
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            pickle.dump(task, process.stdin, protocol=5)
            process.stdin.flush()
            result, error = pickle.load(process.stdout)
            finished.put((task, result, error))
            if error is not None:
                return
    except (OSError, EOFError, pickle.UnpicklingError):
        process.kill()  # if anything of it is left
        text = f"a worker process ended by itself (exit code {process.wait()}) at task {task!r}; "
        error = KerasShrError(text + "with too little memory, ask for fewer workers")
        finished.put((task, None, error))
    except Exception as error:  # whatever it is, `run_tasks` waits for an answer
        finished.put((task, None, error))
