"""Packs the development photographs into a small folder, with a test part of other people.

    python benchmarks/photographs.py ../shared/real_hands packed --size 128

Writes JPEG (quality 95) and an `index.jsonl` that `folder:packed` reads. Of the training part
every fifth person of `digits` and two `rooms` become the part "test"; the part "val" stays;
`stereo` and `video` become parts of their own. The photographs are pseudo-labelled (but for
`stereo`) and no part of this project; nor is what this writes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from keras_shr.data import FolderReader
from keras_shr.files import write_text

TEST_ROOMS = ("16", "26")
PARTS = (("rooms", "train"), ("digits", "train"), ("rooms", "val"), ("digits", "val"))
OTHERS = (("stereo", "test", "stereo"), ("video", "video", "video"))


def part_of(subset, split, group, people):
    """The part of a picture, by whom or where it shows."""
    if split == "train":
        held_out = group in TEST_ROOMS if subset == "rooms" else people.index(group) % 5 == 4
        return "test" if held_out else "train"
    return split


def packed(root, size):
    """Yields records and the names of their parts."""
    for subset, split in PARTS:
        records = list(FolderReader(root, split=split, subset=[subset], size=size))
        people = sorted({record.group for record in records})
        for record in records:
            yield record, part_of(subset, split, record.group, people)
    for subset, split, part in OTHERS:
        for record in FolderReader(root, split=split, subset=[subset], size=size):
            yield record, part


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    (options.output / "images").mkdir(parents=True, exist_ok=True)
    lines, counts = [], {}
    for record, part in packed(options.root, options.size):
        number = counts[part] = counts.get(part, -1) + 1
        name = f"images/{part}_{number:04d}.jpg"
        Image.fromarray(record.image).save(options.output / name, quality=95)
        keypoints = np.round(record.keypoints.astype("float64"), 2).tolist()
        entry = {"file": name, "split": part, "group": record.group, "keypoints": keypoints}
        lines.append(json.dumps(entry))
    write_text(options.output / "index.jsonl", "\n".join(lines) + "\n")
    print(", ".join(f"{part}: {number + 1}" for part, number in counts.items()))


if __name__ == "__main__":
    main()
