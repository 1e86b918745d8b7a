"""Draws many rendered hands on one sheet, to look at after every change of the renderer.

python benchmarks/contact_sheet.py docs/rendered_hands.jpg
python benchmarks/contact_sheet.py sheet.png --seed 3 --keypoints
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from keras_shr.rendering import render_hands

COLOURS = {1: (255, 40, 40), 2: (40, 255, 60)}  # hidden, seen


def sheet(data, columns, side, keypoints):
    """The pictures of a `KeypointData` in rows, each `side` pixels wide."""
    rows = -(-len(data) // columns)
    result = Image.new("RGB", (columns * side, rows * side))
    for number, (image, points) in enumerate(zip(data.images, data.keypoints, strict=True)):
        image = image.copy()
        if keypoints:
            for x, y, visible in points[points[:, 2] > 0]:
                row, column = round(float(y)), round(float(x))
                image[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = COLOURS[visible]
        tile = Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS)
        result.paste(tile, (number % columns * side, number // columns * side))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--side", type=int, default=128, help="width of a picture on the sheet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--keypoints", action="store_true", help="draw them: seen green, hidden red"
    )
    options = parser.parse_args()
    data = render_hands(options.count, 256, seed=options.seed, workers=options.workers)
    picture = sheet(data, options.columns, options.side, options.keypoints)
    picture.save(options.output, quality=88)
    mean = np.round(data.images.mean(axis=(0, 1, 2)), 1).tolist()
    print(f"{options.output}: {len(data)} hands of seed {options.seed}, mean colour {mean}")


if __name__ == "__main__":
    main()
