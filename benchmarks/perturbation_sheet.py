"""Draws every kind at every severity, native beside reference, on one sheet to look at.

    python -m benchmarks.perturbation_sheet docs/perturbations.jpg

Both make of the clean picture what the reference library drew, so that each pair should look the
same; of glass blur the library's shuffle is taken too.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_shr.files import replacing
from keras_shr.perturbations import ALL_PERTURBATIONS, SEVERITIES
from keras_shr.rendering import render_sample

LABEL, HEADER, GAP, PAIR_GAP = 116, 30, 10, 2


def sheet(image, seed):
    """A row for each kind: clean, then for each severity the native and the reference's picture."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "perturbations"))
    from perturbation_oracles import beside_reference

    side = len(image)
    pair = 2 * side + PAIR_GAP + GAP
    first = LABEL + side + GAP
    size = (first + len(SEVERITIES) * pair, HEADER + len(ALL_PERTURBATIONS) * (side + GAP))
    result = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(result)
    draw.text((LABEL, 15), "clean", "black")
    for i, severity in enumerate(SEVERITIES):
        x = first + i * pair
        draw.text((x, 2), f"severity {severity}", "black")
        draw.text((x, 15), "native", "black")
        draw.text((x + side + PAIR_GAP, 15), "reference", "black")
    for row, kind in enumerate(ALL_PERTURBATIONS):
        y = HEADER + row * (side + GAP)
        draw.text((4, y + side // 2), kind.replace("_", " "), "black")
        result.paste(Image.fromarray(image), (LABEL, y))
        copies = np.stack([image] * len(SEVERITIES))
        pairs = zip(*beside_reference(kind, copies, seed + row), strict=True)
        for i, (ours, theirs) in enumerate(pairs):
            x = first + i * pair
            result.paste(Image.fromarray(ours), (x, y))
            result.paste(Image.fromarray(theirs), (x + side + PAIR_GAP, y))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--index", type=int, default=3, help="which rendered hand")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    image = render_sample(1, options.index, options.size, views="front", poses="open").image
    picture = sheet(np.asarray(image), options.seed)
    with replacing(options.output) as path:
        picture.save(path, quality=85)
    print(f"{options.output}: {picture.width} x {picture.height} px")


if __name__ == "__main__":
    main()
