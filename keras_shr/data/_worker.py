"""One worker process of `workers.run_tasks`; that module starts this file as a script.

The package is registered here as a bare name with a search path, so that importing
`keras_shr.data.prepare` runs neither `keras_shr/__init__.py` nor Keras and its backend.

Protocol, one pickle each: first `(module search path, package folder, function, shared)` in, the
last two pickled once more; then any number of tasks in and `(result, None)` or `(None, error)`
out, until the pipe closes.
"""

import os
import pickle
import signal
import sys
import traceback
import types


def main():
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write into the pipe
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself

    def answer(result, error):
        pickle.dump((result, error), sink, protocol=5)
        sink.flush()

    try:
        search, package, function, shared = pickle.load(source)
        sys.path[:] = search
        sys.modules["keras_shr"] = types.ModuleType("keras_shr")
        sys.modules["keras_shr"].__path__ = [package]
        function, shared = pickle.loads(function), pickle.loads(shared)
    except Exception:
        answer(None, RuntimeError(f"a worker could not start:\n{traceback.format_exc()}"))
        return
    while True:
        try:
            task = pickle.load(source)
        except EOFError:
            return
        try:
            outcome = (function(shared, task), None)
        except Exception as error:
            outcome = (None, _portable(error))
        try:
            answer(*outcome)
        except BrokenPipeError:  # the parent is gone
            return


def _portable(error):
    """The error itself if it survives pickling, else its text."""
    try:
        if str(pickle.loads(pickle.dumps(error))) == str(error):
            error.add_note(traceback.format_exc())
            return error
    except Exception:
        pass
    return RuntimeError(traceback.format_exc())


if __name__ == "__main__":
    main()
