"""The words of the report: what each figure means and how it must not be read."""

from keras_shr.data.records import PROTOCOL_PIXELS

_IMPLEMENTED = {
    "reference": "the reference implementation (imagecorruptions)",
    "native": "keras_shr's own implementation",
}


def definitions(protocol) -> dict[str, str]:
    """Term → definition, for `scores.json` and the page."""
    n = protocol.neighbours
    return {
        "perturbed picture": (
            f"the network's input crop, perturbed by {_IMPLEMENTED[protocol.implementation]} "
            "at severity 1 (weak) to 5 (strong); the noise is fixed by the "
            "seed, the picture's id, the kind and the severity, so every model sees the "
            "same pictures"
        ),
        "px": (
            f"pixels of a {PROTOCOL_PIXELS}-px crop: distances in the {protocol.size[0]}x"
            f"{protocol.size[1]} crop times {protocol.scale:g}"
        ),
        "AUC": (
            "area under the curve of the share of keypoints (labelled, inside the crop) at most t "
            "px from their label, t from 0 to 30 px; 'ours': mean over the whole numbers 0..30, "
            "limit included, "
            "all keypoints pooled (this is the headline); 'hand3d': trapezoid over 20 limits from "
            "0 to 30, included, mean over keypoints; 'mmpose': mean over 0, 1.5 .. 28.5, excluded, "
            "mean over keypoints. A constant error of 3 px is worth .903, .921 and .85"
        ),
        "EPE": "end-point error: mean distance between prediction and label in px",
        "R": (
            "mean squared displacement of the predicted keypoints between the clean and the "
            "perturbed picture in px² (Zhang et al. 2022, eq. 10, as a mean over pictures, "
            "keypoints, kinds and severities); 0 is best; needs no labels"
        ),
        "stable at P": "share of predicted keypoints that moved at most P px",
        "RUC": "mean of 'stable at P' over P = 0, 1 .. 30 px; 1 is best; needs no labels",
        f"D_{n}": (
            f"sum of the squared distances from a heatmap's 2nd to {n}th highest pixel to the "
            "highest, in heatmap px² (eq. 11), on clean pictures; small means one tight peak. "
            "It depends on the heatmap's size: compare models of equal heatmaps only"
        ),
        "D_(1)(2)": (
            "highest minus second highest value of a heatmap divided by its maximum (eq. 12), on "
            "clean pictures; large means that the peak has no rival"
        ),
        "Theorem 3": (
            "share of heatmaps (each divided by its maximum) that meet the condition r1 - r2 > "
            "sqrt(sum of squared changes + H·W·(change at the peak)²), which proves that this "
            "perturbation left the highest pixel where it was. It says nothing about other "
            "perturbations, so the share that truly did not move stands beside it ('unmoved')"
        ),
        "unmoved": "share of heatmaps whose highest pixel stayed exactly where it was",
        "decoding": (
            "argmax: the centre of the highest heatmap pixel (the headline); subpixel: "
            f"'{protocol.subpixel}' decoding round it"
        ),
        "visibility": (
            "AUC and EPE: 'all' labelled keypoints, or only those 'seen' (not hidden). R and RUC: "
            "'any' keypoint of every picture, labelled or not (the headline), 'all' or 'seen'"
        ),
        "seen, unseen": (
            "the ten kinds that training may use and the five that are kept for evaluation; "
            "averages weigh each kind and severity alike"
        ),
        "score": "mean share of a heatmap's mass near its peak, on clean pictures",
        "interval": (
            "95 % bootstrap interval: percentiles of the figure over test sets drawn with "
            "replacement from this one; it covers the choice of pictures, not the choice of a "
            "training seed"
        ),
    }


CAVEATS = (
    "Never read R or RUC without AUC: a network that always answers the same keypoints has R = 0 "
    "and RUC = 1. A model that does so here is marked (!) and cannot be 'best'.",
    "R and RUC measure whether answers stay put, not whether they are right.",
    "R is a mean of squares: a few keypoints that jump across the picture can decide it. RUC caps "
    "every displacement at 30 px.",
    "The intervals do not cover the luck of a training run: compare several training seeds before "
    "calling one method better.",
)
