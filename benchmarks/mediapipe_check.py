"""Does a hand model trained on photographs take the rendered hands for hands?

A check for development only; nothing of MediaPipe is a dependency of the project. Get the model
from the wheel (it is a zip archive) and the interpreter from PyPI:

    pip download --no-deps mediapipe==0.10.9
    unzip mediapipe-0.10.9-*.whl '*hand_landmark_full.tflite'
    pip install ai-edge-litert
    python benchmarks/mediapipe_check.py PATH/hand_landmark_full.tflite \\
        --output results/rendered_mediapipe.csv

Each picture is fed as MediaPipe's own tracker would feed it: a square about the palm and the first
finger joints, turned so that wrist → middle knuckle points up, twice as large as the points' box,
224x224, RGB in 0..1, edges repeated. The square comes from our keypoints, as the tracker takes it
from the last frame's, so the figures judge the look of the hands and not a detector. As a control
the same squares are cut from backgrounds without a hand: the score must be low there.
"""

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from keras_shr.rendering import render_sample
from keras_shr.rendering.background import random_background

INPUT = 224
TRACKED = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)  # the tracker's points: palm, first joints
MIDDLE_MCP = 9


def tracker_crop(image, points):
    """The model's input `(224, 224, 3)` and the affine map from its pixels to the image's.

    Args:
        image: uint8 `(size, size, 3)`.
        points: `(21, 2)` pixels.
    """
    up = points[MIDDLE_MCP] - points[0]
    up = up / max(np.linalg.norm(up), 1e-6)
    right = np.array([-up[1], up[0]])
    axes = np.stack([right, -up], axis=1)  # columns: the crop's x and y in the image
    local = points[list(TRACKED)] @ axes
    low, high = local.min(axis=0), local.max(axis=0)
    width, height = high - low
    centre = (low + high) / 2 - (0, 0.1 * height)
    step = 2.0 * max(width, height) / INPUT
    matrix = axes * step
    offset = axes @ centre - matrix @ np.full(2, (INPUT - 1) / 2)
    # ndimage works on (row, column)
    crop = np.stack(
        [
            ndimage.affine_transform(
                image[..., c].astype(np.float32),
                matrix[::-1, ::-1],
                offset[::-1],
                (INPUT, INPUT),
                order=1,
                mode="nearest",
            )
            for c in range(3)
        ],
        axis=-1,
    )
    return crop / 255, matrix, offset


class LandmarkModel:
    """MediaPipe's hand landmark network in a TFLite interpreter."""

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(str(path), num_threads=1)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        outputs = sorted(self.interpreter.get_output_details(), key=lambda d: d["name"])
        # Identity: landmarks, Identity_1: presence, Identity_2: handedness, Identity_3: metres
        self.outputs = [d["index"] for d in outputs][:3]

    def __call__(self, crop):
        """Landmarks `(21, 2)` in crop pixels, presence score, score of a right hand."""
        self.interpreter.set_tensor(self.input, crop[None].astype(np.float32))
        self.interpreter.invoke()
        points, presence, right = (self.interpreter.get_tensor(i) for i in self.outputs)
        return points.reshape(21, 3)[:, :2], float(presence.ravel()[0]), float(right.ravel()[0])


def check(model, count, size, seed):
    """One dict for each picture: scores, distances in px of 256, and the control's score."""
    for index in range(count):
        sample = render_sample(seed, index, size)
        points = sample.keypoints[:, :2].astype(float)
        crop, matrix, offset = tracker_crop(sample.image, points)
        found, presence, right = model(crop)
        empty = random_background(np.random.default_rng([seed, index]), size, size)
        _, control, _ = model(tracker_crop(empty, points)[0])
        found = found @ matrix.T + offset
        distance = np.linalg.norm(found - points, axis=1) * 256 / size
        seen = sample.keypoints[:, 2] == 2
        yield {
            "index": index,
            "side": sample.side,
            "presence": presence,
            "right_score": right,
            "control": control,
            "distance": distance.mean(),
            "seen_distance": distance[seen].mean() if seen.any() else np.nan,
            "each": distance,
        }


def summary(rows):
    """The figures of the report as (name, value, meaning)."""
    presence = np.array([r["presence"] for r in rows])
    distance = np.array([r["distance"] for r in rows])
    seen = np.array([r["seen_distance"] for r in rows])
    right = np.array([r["right_score"] > 0.5 for r in rows])
    agrees = right == np.array([r["side"] == "right" for r in rows])
    found = presence > 0.5
    return [
        ("images", len(rows), "rendered crops"),
        ("found_share", found.mean(), "presence score above .5"),
        (
            "found_share_control",
            np.mean([r["control"] > 0.5 for r in rows]),
            "the same squares of backgrounds without a hand",
        ),
        ("presence_median", np.median(presence), "median presence score"),
        ("distance_px256", distance[found].mean(), "mean landmark distance where found, px of 256"),
        ("distance_median_px256", np.median(distance[found]), "median over pictures of the same"),
        ("seen_distance_px256", np.nanmean(seen[found]), "keypoints marked seen only"),
        ("distance_all_px256", distance.mean(), "all pictures, found or not"),
        ("side_agreement", agrees[found].mean(), "left and right told apart as labelled"),
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="hand_landmark_full.tflite")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, help="CSV for the figures")
    options = parser.parse_args(arguments)
    rows = []
    for row in check(LandmarkModel(options.model), options.count, options.size, options.seed):
        rows.append(row)
        print(f"\r{len(rows)}/{options.count}", end="", file=sys.stderr)
    print(file=sys.stderr)
    figures = summary(rows)
    for name, value, meaning in figures:
        print(f"{name:24s} {value:9.3f}  {meaning}")
    if options.output:
        command = (
            f"python benchmarks/mediapipe_check.py {options.model.name} --count {options.count} "
            f"--size {options.size} --seed {options.seed}"
        )
        temporary = options.output.with_name(options.output.name + ".tmp")
        with open(temporary, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["figure", "value", "meaning", "command"])
            for name, value, meaning in figures:
                writer.writerow([name, f"{value:.4g}", meaning, command])
        os.replace(temporary, options.output)
    return rows


if __name__ == "__main__":
    main()
