"""A comparison as pictures and HTML."""

from html import escape

import numpy as np

from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.drawing import ORANGE, SKY, VERMILION, WHITE, Canvas, heatmap_overlay

_LONGEST_BAR = 30.0  # px from which a bar is full, if no keypoint moved further


def spoken(name) -> str:
    """A keypoint's or perturbation's name as one says it."""
    return name.replace("_", " ")


def moved_picture(comparison, answer, chosen, width=512) -> np.ndarray:
    """The perturbed crop with a model's keypoints: blue where they were in the clean crop, orange
    where they are now, a white line from one to the other, and a red dot on the chosen one.

    Args:
        comparison: `Comparison`.
        answer: the `Answer` to draw.
        chosen: index of a keypoint.
        width: of the picture in pixels.

    Returns:
        uint8 `(width, width, 3)`.
    """
    canvas, skeleton = Canvas(comparison.perturbed, width), comparison.skeleton
    before, after = answer.before[:, :2], answer.after[:, :2]  # a score is no visibility
    canvas.skeleton(before, skeleton, SKY, width=0.8)
    canvas.skeleton(after, skeleton, ORANGE, width=0.5, dots=False, outline=False)
    for start, end, moved in zip(before, after, answer.moved, strict=True):
        if moved > 0:
            canvas.segment(start, end, WHITE, 0.4)
    for point in after:
        canvas.dot(point, ORANGE, 1.3)
    canvas.dot(after[chosen], VERMILION, 2)
    return canvas.image()


def heatmaps(comparison, answer, chosen, width=256) -> list[np.ndarray]:
    """The chosen keypoint's heatmap over the clean and over the perturbed crop."""
    pairs = (
        (comparison.clean, answer.maps_before),
        (comparison.perturbed, answer.maps_after),
    )
    return [heatmap_overlay(image, maps[..., chosen], width) for image, maps in pairs]


def caption(comparison, chosen) -> str:
    """What the heatmaps show, as HTML."""
    name = escape(spoken(comparison.skeleton.keypoints[chosen]))
    return f"Heatmap of <b>{name}</b>"


def headline(answer, skeleton) -> str:
    """How far a model's keypoints moved, as HTML."""
    furthest = int(answer.moved.argmax())
    name = escape(spoken(skeleton.keypoints[furthest]))
    scores = " → ".join(f"{points[:, 2].mean():.2f}" for points in (answer.before, answer.after))
    return (
        f"<h2>{escape(answer.name)}</h2>"
        f"<p><b>{answer.moved.mean():.1f} px</b> moved on average</p>"
        f"<p><b>{answer.moved.max():.1f} px</b> at most ({name})</p>"
        "<p class='shr-quiet' title='Share of a heatmap that lies round its peak, mean over the "
        f"keypoints: low where nothing was found.'>score {scores}</p>"
    )


def table(comparison, chosen) -> str:
    """Every keypoint's move with each model, as an HTML table with bars."""
    answers = comparison.answers
    full = max(_LONGEST_BAR, *(float(answer.moved.max()) for answer in answers))
    heads = "".join(f"<th>{escape(answer.name)}, px</th>" for answer in answers)
    rows = []
    for i, name in enumerate(comparison.skeleton.keypoints):
        cells = "".join(
            f"<td><span class='shr-bar' style='width:{70 * answer.moved[i] / full:.1f}%'></span>"
            f"{answer.moved[i]:.1f}</td>"
            for answer in answers
        )
        mark = " class='shr-chosen'" if i == chosen else ""
        rows.append(f"<tr{mark}><th>{escape(spoken(name))}</th>{cells}</tr>")
    return (
        f"<table class='shr-table'><thead><tr><th>moved, in px of a {PROTOCOL_PIXELS}-px crop</th>"
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
