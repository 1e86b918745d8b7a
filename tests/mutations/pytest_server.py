"""For `tests/fork_server.py`: runs pytest in a tree, the package of that tree not yet loaded."""

import os
import sys


def prepare():
    """A function that runs pytest; its task has `tree` and pytest's `arguments`."""
    import h5py  # noqa: F401
    import keras  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import PIL.Image  # noqa: F401
    import pytest
    import scipy.ndimage  # noqa: F401

    def run(task):
        os.chdir(task["tree"])
        sys.path[0] = task["tree"]
        os.environ["PYTHONPATH"] = task["tree"]  # of the processes that tests start
        # A changed file of the same size and second would be taken for the compiled one.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        return int(pytest.main(["-q", "--tb=short", *task["arguments"]]))

    return run
