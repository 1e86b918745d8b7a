"""How often a model finds a hand in a larger picture: by itself, by a search, in a given box.

    python -m benchmarks.search ../shared/real_hands --models hand hand-photos-ours

Real hands (validation photographs, pseudo-labelled) of several sizes are laid with soft edges into
rendered backgrounds of 640x480, one each. A hand counts as found when its keypoints are off by less
than 15 % of its longer side on average. A tracker meets twelve frames without a hand first. Writes
results/search.csv.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.machine import processor_and_cores
from benchmarks.tables import Table

FIELDS = ("model", "hand_share", "way", "found", "of", "median_s", "machine", "seed", "command")
HEIGHT, WIDTH = 480, 640
SIDES = (140, 200, 280, 400)  # of the photograph; a hand is a little more than half of it
EMPTY, COMES = 12, 30


def scene(record, side, seed):
    """A picture, the same without the hand, and the keypoints in it."""
    from keras_shr.rendering.background import random_background

    rng = np.random.default_rng(seed)
    empty = random_background(rng, HEIGHT, WIDTH).astype("uint8")
    hand = Image.fromarray(record.image).resize((side, side), Image.Resampling.BILINEAR)
    left, top = int(rng.integers(0, WIDTH - side)), int(rng.integers(0, HEIGHT - side))
    edge = side // 12
    mask = Image.new("L", (side, side), 0)
    mask.paste(255, (edge, edge, side - edge, side - edge))
    picture = Image.fromarray(empty)
    picture.paste(hand, (left, top), mask.filter(ImageFilter.GaussianBlur(edge / 2)))
    points = (record.keypoints[:, :2] + 0.5) * side / len(record.image) - 0.5 + [left, top]
    return np.asarray(picture), empty, points


def ways(predictor):
    """Name → the prediction of a scene, given its picture, empty picture and keypoints."""
    from keras_shr.prediction import Tracker, search

    def boxed(picture, empty, points):
        low, high = points.min(0), points.max(0)
        longer = (high - low).max() * 1.8 / predictor.padding
        middle = (low + high) / 2
        return predictor(picture, [[*(middle - longer / 2), longer, longer]])

    def tracked(every):
        def way(picture, empty, points):
            tracker = Tracker(predictor, search_every=every)
            for _ in range(EMPTY):
                tracker(empty)
            return [tracker(picture) for _ in range(COMES)][-1]

        return way

    return {
        "whole picture": lambda picture, empty, points: predictor(picture, whole=True),
        "search": lambda picture, empty, points: search(predictor, picture),
        "box given": boxed,
        "tracker, whole frames": tracked(0),
        "tracker": tracked(30),
    }


def is_found(prediction, points):
    error = np.linalg.norm(prediction.keypoints[0, :, :2] - points, axis=1).mean()
    return error < 0.15 * (points.max(0) - points.min(0)).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--models", nargs="+", default=["hand"])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path("results/search.csv"))
    options = parser.parse_args()
    command = (
        f"python -m benchmarks.search {options.photographs} --models {' '.join(options.models)} "
        f"--count {options.count}"
    )

    from keras_shr.data import FolderReader
    from keras_shr.prediction import Predictor

    records = list(FolderReader(options.photographs, split="val", size=256))
    chosen = np.linspace(0, len(records) - 1, options.count).round().astype(int)
    table = Table(options.output, ("model", "hand_share", "way"), FIELDS)
    for model in options.models:
        predictor = Predictor(model)
        for side in SIDES:
            scenes = [scene(records[i], side, seed) for seed, i in enumerate(chosen)]
            extents = [(points.max(0) - points.min(0)).max() for _, _, points in scenes]
            for name, way in ways(predictor).items():
                found, seconds = 0, []
                for one in scenes:
                    began = time.perf_counter()
                    found += bool(is_found(way(*one), one[2]))
                    seconds.append(time.perf_counter() - began)
                table.add(
                    {
                        "model": Path(model).stem,
                        "hand_share": f"{np.median(extents) / WIDTH:.2f}",
                        "way": name,
                        "found": found,
                        "of": len(scenes),
                        "median_s": f"{np.median(seconds):.3f}",
                        "machine": processor_and_cores(),
                        "seed": "0 to " + str(len(scenes) - 1),
                        "command": command,
                    }
                )
                print(model, side, name, f"{found} of {len(scenes)}", flush=True)


if __name__ == "__main__":
    main()
