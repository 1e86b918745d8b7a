"""Python in a process of its own, whose memory is seen and limited."""

import subprocess
import sys
from pathlib import Path

import keras_shr

_LIMIT = 4 * 2**30  # bytes; what takes more shall not take the machine with it

_BEFORE = f"""
import resource, sys, types
resource.setrlimit(resource.RLIMIT_AS, ({_LIMIT}, {_LIMIT}))
package = sys.modules["keras_shr"] = types.ModuleType("keras_shr")  # without Keras
package.__path__ = [sys.argv[1]]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
start = lambda: before.append(peak())
before = []
"""


def measured(code, *arguments, timeout=60):
    """Runs `code`, which may import the data modules and calls `start()` when it is warm.

    Returns:
        The words it printed, and by how many MB its memory grew at most since `start()`.
    """
    code = f"{_BEFORE}{code}\nprint(peak() - before[0])"
    package = Path(keras_shr.__file__).parent
    command = [sys.executable, "-c", code, str(package), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    *printed, megabytes = done.stdout.split()
    return printed, int(megabytes)
