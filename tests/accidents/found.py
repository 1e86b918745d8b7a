"""Inputs that were not handled once: what fuzzing found, kept for ever.

The first run, over the readers of commit fb95865, brought out nineteen kinds of exceptions that
were not ours, messages of several lines, 166 bytes that took eleven seconds (a picture) and others
that took a minute and a half (labels, in SciPy), memory without end (a pickle), and, at one label
file in three hundred, the end of the process, in SciPy's C code; a check of the headers before it
did not help. `found/TARGET-WHAT.bin` holds one input of each kind; those too long to keep, JSON
that is nested 100,000 deep, are made here.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent / "found"
_DEEP = {"coco", "folder_index", "skeleton", "manifest", "journal", "description"}


def found(target):
    """Name → input for a target."""
    inputs = {p.stem: p.read_bytes() for p in sorted(_FOLDER.glob(f"{target}-*.bin"))}
    return inputs | ({f"{target}-deep": b"[" * 100_000} if target in _DEEP else {})
