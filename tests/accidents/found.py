"""Inputs that were not handled once: what fuzzing found, kept for ever.

The first run, over the readers of commit fb95865, brought out nineteen kinds of exceptions that
were not ours, messages of several lines, 166 bytes that took eleven seconds (a picture) and others
that took a minute and a half (labels, in SciPy), memory without end (a pickle), and, at one label
file in three hundred, the end of the process, in SciPy's C code; a check of the headers before it
did not help. A hundred thousand inputs (commit bf9bbfa) brought out messages that quoted names of
20,000 characters, and heatmaps whose finite values have no finite sum. `found/TARGET-WHAT.bin`
holds one input of each kind; those too long to keep, JSON that is nested 100,000 deep and names
without end, are made here.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent / "found"
_LONG = {
    "coco": """{"images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 80}],
        "annotations": [{"image_id": 7, "id": "NAME", "bbox": [20, 10, 40, -2], "iscrowd": 0}],
        "categories": [{"id": 1, "name": "one", "keypoints": ["a"], "skeleton": []}]}""",
    "skeleton": """{"name": "NAME", "keypoints": ["a", "b"], "edges": [[0, 7]]}""",
}
_DEEP = {"coco", "folder_index", "skeleton", "manifest", "journal", "description"}


def found(target):
    """Name → input for a target."""
    inputs = {p.stem: p.read_bytes() for p in sorted(_FOLDER.glob(f"{target}-*.bin"))}
    if target in _DEEP:
        inputs[f"{target}-deep"] = b"[" * 100_000
    if target in _LONG:
        inputs[f"{target}-long"] = _LONG[target].replace("NAME", "long" * 5_000).encode()
    return inputs
