"""What TensorFlow and JAX on a CPU need of the C library's memory allocator."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # <malloc.h>


def keep_freed_memory() -> bool:
    """Tells glibc to keep the memory that a training step frees for the next step.

    By default each large array goes back to the system when it is freed, and the next one arrives
    as fresh pages that the kernel fills with zeros: half of the CPU time of the demo's training
    steps (docs/development.md). glibc learns to keep more once a process has freed something
    large, so another program may gain nothing. Peak memory stays the same. Call it before the
    first tensor is made; the commands of `keras-shr` do. The setting is the whole process's, so
    importing the package does not touch it.

    Returns:
        Whether it was done; False with another C library than glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    settings = (
        (_ARENA_MAX, 1),  # other arenas are trimmed whatever the threshold
        (_MMAP_THRESHOLD, 32 << 20),  # the largest that is allowed
        (_TRIM_THRESHOLD, 2**31 - 1),
        (_TOP_PAD, 64 << 20),
    )
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, value) for name, value in settings)
