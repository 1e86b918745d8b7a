"""Runs code in new processes without their seconds of imports.

    python tests/fork_server.py FILE

FILE defines `prepare()`, which imports what takes long, computes nothing, and returns a function of
a task (JSON) that gives an exit status. For each line that it reads, `{"task": ..., "log": ...}`,
the server forks a process of a group of its own that runs the function, and answers with its number
and, when it has ended, with its wait status.
"""

import contextlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path


class ForkServer:
    """A server and the process it runs; use it in a `with` block.

    Args:
        file: that defines `prepare()`.
        limit: seconds after which a process counts as hanging.
        environment: added to this process's own.
    """

    def __init__(self, file, limit, **environment):
        self.limit = limit
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        )

    def __enter__(self):
        assert self._line(self.limit) == "ready"
        return self

    def __exit__(self, *error):
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _line(self, timeout):
        """The next answer, or None after `timeout` seconds."""
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            return None
        return self._process.stdout.readline().strip()

    def run(self, task, log, moment=None):
        """Runs a task, what it prints added to `log`.

        Args:
            moment: called again and again with the seconds since the start; True kills.

        Returns:
            The exit status, or None for a process that was killed.

        Raises:
            TimeoutError: it took longer than the limit and was killed for that.
        """
        self._process.stdin.write(json.dumps({"task": task, "log": str(log)}) + "\n")
        group, started, killed = int(self._line(self.limit)), time.monotonic(), False
        late = False
        while (status := self._line(0.002 if moment else 0.2)) is None:
            seconds = time.monotonic() - started
            late = late or seconds > self.limit
            if not killed and (late or (moment is not None and moment(seconds))):
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.killpg(group, signal.SIGKILL)
                killed = True
        _await_end(group)
        if late:
            raise TimeoutError(f"no end after {self.limit} s")
        return None if os.WIFSIGNALED(int(status)) else os.WEXITSTATUS(int(status))


def _await_end(group):
    """Workers of a process end too: none of them may write into the next run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    os.killpg(group, signal.SIGKILL)
    raise AssertionError("processes of the command outlive it")


def serve(file):
    """Until standard input ends."""
    run = runpy.run_path(file)["prepare"]()
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            _become(run, order["task"], order["log"])
        print(child, file=answers, flush=True)
        print(os.waitpid(child, 0)[1], file=answers, flush=True)


def _become(run, task, log):
    status = 70
    try:
        os.setsid()
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = run(task)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    serve(sys.argv[1])
