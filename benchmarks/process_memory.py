"""Time and peak memory of a command with all the processes that it starts (Linux)."""

import os
import resource
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What a command took.

    Attributes:
        seconds: on the clock.
        cpu_seconds: of all its processes.
        peak: highest sum of the resident memory of its processes at one moment, bytes. Pages that
            processes share, such as libraries, count in each. Sampled.
        main_peak: the main process's own highest resident memory, bytes, as the kernel counts it.
        processes: most processes at one moment.
        code: the exit status.
        output: what it printed.
    """

    seconds: float
    cpu_seconds: float
    peak: int
    main_peak: int
    processes: int
    code: int
    output: str


def usage(command, environment=None, every=0.25) -> Usage:
    """Run a command and watch it.

    Args:
        command: list of words.
        environment: of the command; this process's by default.
        every: seconds between two samples.
    """
    before, start = _cpu_of_children(), time.perf_counter()
    # A session of its own is what tells its processes from others.
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    output = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
    reader.start()
    peak = main_peak = most = 0
    try:
        while process.poll() is None:
            sizes = resident_of_session(process.pid)
            peak, most = max(peak, sum(sizes.values())), max(most, len(sizes))
            main_peak = max(main_peak, _high_water(process.pid))
            time.sleep(every)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        reader.join()
        process.stdout.close()
    seconds = time.perf_counter() - start
    cpu = _cpu_of_children() - before
    return Usage(seconds, cpu, peak, main_peak, most, process.returncode, "".join(output))


def resident_of_session(session) -> dict[int, int]:
    """Process → resident bytes, of the processes of a session."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name in brackets may hold anything; what follows is separated by spaces.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session:
            found[int(folder.name)] = int(fields[21]) * _PAGE
    return found


def _high_water(process):
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def _cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
