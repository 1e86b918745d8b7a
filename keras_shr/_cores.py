"""How many processes or threads are worth starting."""

import os


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # such as in a container or a job of Slurm
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
