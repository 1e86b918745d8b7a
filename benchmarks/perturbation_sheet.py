"""Draws every kind at every severity, native beside reference, on one sheet to look at.

python benchmarks/perturbation_sheet.py docs/perturbations.jpg
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw

from keras_shr.files import replacing
from keras_shr.perturbations import ALL_PERTURBATIONS, SEVERITIES, perturb_kind, reference
from keras_shr.rendering import render_sample

LABEL, HEADER, GAP = 120, 30, 6


def sheet(image, seed):
    """A row for each kind; for each severity the native picture and then the reference's."""
    side = len(image)
    column = 2 * side + GAP
    width = LABEL + len(SEVERITIES) * column
    result = Image.new("RGB", (width, HEADER + len(ALL_PERTURBATIONS) * (side + GAP)), "white")
    draw = ImageDraw.Draw(result)
    for i, severity in enumerate(SEVERITIES):
        x = LABEL + i * column
        draw.text((x + 4, 2), f"severity {severity}", "black")
        draw.text((x + 4, 15), "native", "black")
        draw.text((x + side + 4, 15), "reference", "black")
    for row, kind in enumerate(ALL_PERTURBATIONS):
        y = HEADER + row * (side + GAP)
        draw.text((4, y + side // 2), kind.replace("_", " "), "black")
        copies = np.stack([image] * len(SEVERITIES))
        native = perturb_kind(copies, kind, np.array(SEVERITIES, "int32"), seed + row, force=True)
        for i, (ours, severity) in enumerate(zip(np.asarray(native), SEVERITIES, strict=True)):
            theirs = reference.perturb(image, kind, severity, seed + row)
            for j, picture in enumerate((ours, theirs)):
                place = (LABEL + i * column + j * side, y)
                result.paste(Image.fromarray(picture), place)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--index", type=int, default=13, help="which rendered hand")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    image = render_sample(1, options.index, options.size, views="front").image
    picture = sheet(np.asarray(image), options.seed)
    with replacing(options.output) as path:
        picture.save(path, quality=85)
    print(f"{options.output}: {picture.width} x {picture.height} px")


if __name__ == "__main__":
    main()
