"""Metrics with 95 % intervals from stored predictions, one tidy row a figure."""

from dataclasses import dataclass, field

import numpy as np

from keras_shr.evaluation.bootstrap import Bootstrap, Ratio
from keras_shr.evaluation.protocol import EXTRA, SEEN, UNSEEN
from keras_shr.heatmaps import image_to_heatmap, only_in_frame
from keras_shr.metrics import (
    CONVENTIONS,
    STABILITY_THRESHOLDS,
    displacements,
    keypoint_errors,
    keypoint_weights,
)

FIELDS = (
    *("model", "data", "group", "kind", "severity", "metric", "decoding", "visibility"),
    *("value", "low", "high", "n"),
)
DECODINGS = ("argmax", "subpixel")
LABELLED = ("all", "seen")
_DIGITS = 4  # a distance of exactly P px must not miss P by float32's last bit


@dataclass
class Scores:
    """One model's figures.

    Attributes:
        model: its name.
        rows: dicts with the keys `FIELDS`.
        draws: bootstrap draws `(draws,)` of the figures that models are compared by, keyed like
            `value`: (metric, group, kind, decoding).
        moved: mean displacement of a picture's keypoints in reported px, `(conditions, images)`,
            argmax decoding.
        variety: spread of the clean answers over images, relative to the labels' spread (to that
            of points strewn evenly over the crop without labels); near 0 for a network that always
            answers the same.
    """

    model: str
    rows: list[dict] = field(default_factory=list)
    draws: dict = field(default_factory=dict)
    moved: np.ndarray | None = None
    variety: float = float("nan")

    def value(
        self, metric, group="clean", decoding="argmax", kind="", severity="", visibility=None
    ):
        """The row of a figure, or None where it has no value."""
        if visibility is None:
            visibility = "all" if metric.startswith(("auc", "epe")) else "any"
        key = (metric, group, kind, severity, decoding, visibility)
        if not hasattr(self, "_index") or len(self._index) != len(self.rows):
            names = ("metric", "group", "kind", "severity", "decoding", "visibility")
            self._index: dict = {tuple(row[name] for name in names): row for row in self.rows}
        return self._index.get(key)


def conditions_of(protocol):
    """The rows of the tables: `(group, kind, severity)` and which conditions each averages.

    Returns:
        List of labels and bool `(labels, conditions)`.
    """
    group = np.array([protocol.group(kind) for kind, _ in protocol.conditions])
    kinds = np.array([kind for kind, _ in protocol.conditions])
    levels = np.array([level for _, level in protocol.conditions])
    # The paper's kinds are "all", so that figures stay comparable when others are added.
    groups = {"all": group != EXTRA} | {name: group == name for name in (SEEN, UNSEEN, EXTRA)}
    wanted = []
    for name, mask in groups.items():
        wanted.append(((name, "", ""), mask))
        wanted += [((name, "", s), mask & (levels == s)) for s in protocol.severities]
    for kind in protocol.perturbations:
        wanted.append(((protocol.group(kind), kind, ""), kinds == kind))
        wanted += [
            ((protocol.group(kind), kind, s), (kinds == kind) & (levels == s))
            for s in protocol.severities
        ]
    wanted = [(label, mask) for label, mask in wanted if mask.any()]
    return [label for label, _ in wanted], np.stack([mask for _, mask in wanted])


def curve_value(distances, thresholds, weights, inclusive=True):
    """Each distance's own contribution to the area under a share-within-threshold curve.

    The mean of it over keypoints is the area: `Σ_t w_t · [distance ≤ t] / Σ_t w_t`.
    """
    tail = np.append(np.cumsum(np.asarray(weights, "float64")[::-1])[::-1], 0.0)
    tail /= tail[0]
    return tail[np.searchsorted(thresholds, distances, side="left" if inclusive else "right")]


def measure(model, predictions, data, protocol, bootstrap=None) -> Scores:
    """All figures of one model.

    Args:
        model: its name.
        predictions: the arrays of `Store.read` for successive images, block by block, as
            `Store.blocks` yields them.
        data: `KeypointData` with the labels.
        protocol: `Protocol`.
        bootstrap: `Bootstrap`, shared by the models that are compared.
    """
    return _Measurer(model, predictions, data, protocol, bootstrap).measure()


class _Measurer:
    def __init__(self, model, predictions, data, protocol, bootstrap):
        self.scores, self.predictions, self.protocol = Scores(model), predictions, protocol
        self.data, self.bootstrap = data, bootstrap or Bootstrap(data.groups)
        size = data.images.shape[1:3]
        # No map can answer what lies outside the crop.
        labels = only_in_frame(data.keypoints, size)
        self.all_labels = np.asarray(image_to_heatmap(labels, size, protocol.size))
        self.names, self.masks = conditions_of(protocol)
        self.ratios = {}

    def measure(self):
        start, clean, moved = 0, [], []
        for block in self.predictions:
            stop = start + len(block["argmax"])
            self._enter(slice(start, stop))
            for decoding in DECODINGS:
                displacement = self._block(decoding, block)
                if decoding == "argmax":
                    moved.append(displacement.mean(-1))
            clean.append(block["argmax"])
            start = stop
        self.scores.moved = np.concatenate(moved, axis=1)
        for (*what, _), (names, per_keypoint, ratio) in self.ratios.items():
            self._rows(names, ratio, per_keypoint, *what)
        self.scores.variety = self._variety(np.concatenate(clean))
        return self.scores

    def _enter(self, images):
        """Labels, and what counts how often in each draw, of the images of a block."""
        self.labels = self.all_labels[images]
        self.weights = self._weights(self.labels)
        self.times = self.bootstrap.weights(images)
        self.counts = {v: weights.sum(-1, dtype="float64") for v, weights in self.weights.items()}
        self.drawn = {v: self.times @ counts for v, counts in self.counts.items()}

    @staticmethod
    def _weights(labels):
        """Which keypoints count, bool `(images, keypoints)`, for each kind of visibility."""
        weights = {v: np.asarray(keypoint_weights(labels, v), bool) for v in LABELLED}
        return weights | {"any": np.ones(labels.shape[:2], bool)}

    def _block(self, decoding, found):
        """Adds a block's figures; returns its displacements."""
        clean, perturbed = found[decoding], found[f"perturbed_{decoding}"]
        self._clean(decoding, self._errors(clean), found)
        errors = np.stack([self._errors(answers) for answers in perturbed])
        moved = np.stack([self._distance(clean, answers) for answers in perturbed])
        self._perturbed(decoding, errors, moved, found)
        return moved

    def _errors(self, keypoints):
        errors = keypoint_errors(self.labels, keypoints, self.protocol.scale)
        return np.round(np.asarray(errors, "float64"), _DIGITS)

    def _distance(self, clean, perturbed):
        moved = displacements(clean, perturbed, scale=self.protocol.scale)
        return np.round(np.asarray(moved, "float64"), _DIGITS)

    def _clean(self, decoding, errors, found):
        clean = [("clean", "", "")]
        for visibility in LABELLED:
            for name, rule in CONVENTIONS.items():
                value = curve_value(errors, rule.thresholds, rule.weights, rule.inclusive)
                metric = "auc" if name == "ours" else f"auc_{name}"
                split = rule.per_keypoint
                self._add(clean, metric, decoding, visibility, value[None], per_keypoint=split)
            self._add(clean, "epe", decoding, visibility, errors[None])
        if decoding == "argmax":
            n = self.protocol.neighbours
            for metric, key in ((f"D_{n}", "peak_spread"), ("D_(1)(2)", "peak_gap")):
                self._add(clean, metric, decoding, "any", found[key][None])
            self._add(clean, "score", decoding, "any", found["score"][None])

    def _perturbed(self, decoding, errors, moved, found):
        ours = CONVENTIONS["ours"]
        areas = curve_value(errors, ours.thresholds, ours.weights)
        alike = np.ones(len(STABILITY_THRESHOLDS))
        robust = curve_value(moved, STABILITY_THRESHOLDS, alike)
        for visibility in LABELLED:
            self._add(self.names, "auc", decoding, visibility, areas)
            self._add(self.names, "epe", decoding, visibility, errors)
        for visibility in ("any", *LABELLED):
            self._add(self.names, "R", decoding, visibility, moved**2)
            self._add(self.names, "RUC", decoding, visibility, robust)
        if decoding == "argmax":
            self._add(self.names, "unmoved", decoding, "any", moved == 0)
            self._add(self.names, "theorem3", decoding, "any", found["theorem3"])
        # The curve without its severities, which nobody reads point by point.
        rows = [i for i, (_, _, severity) in enumerate(self.names) if severity == ""]
        names, masks = [self.names[i] for i in rows], self.masks[rows]
        for p in STABILITY_THRESHOLDS:
            self._add(names, f"stable_at_{p:g}", decoding, "any", moved <= p, masks=masks)

    def _add(self, names, metric, decoding, visibility, values, per_keypoint=False, masks=None):
        """Adds a block's part to the rows of one metric.

        Args:
            names: `(group, kind, severity)` of each row.
            values: `(conditions, images, keypoints)`; one condition for the clean pictures.
            per_keypoint: average the keypoints' own means.
            masks: the conditions of each row; all rows by default.
        """
        weights = self.weights[visibility]
        if masks is None:
            masks = np.ones((1, 1), bool) if len(values) == 1 == len(names) else self.masks
        masks = masks.astype("float64")
        weighted = np.where(weights, values, 0.0)
        if per_keypoint:  # the keypoints are the columns, for clean pictures only
            sums, counts = weighted[0], weights.sum(0, dtype="float64")
            drawn = self.times @ weights.astype("float64")
        else:
            sums, each = (masks @ weighted.sum(-1)).T, masks.sum(1)
            counts = self.counts[visibility].sum() * each
            drawn = self.drawn[visibility][:, None] * each
        # Clean and perturbed pictures have metrics of the same name.
        key = (metric, decoding, visibility, names[0])
        _, _, ratio = self.ratios.setdefault(key, (names, per_keypoint, Ratio()))
        ratio.add(sums.sum(0), counts, self.times @ sums, drawn)

    def _rows(self, names, ratio, per_keypoint, metric, decoding, visibility):
        """The finished rows of one metric."""
        value, draws, n = ratio.value, ratio.draws, ratio.counts.astype(int)
        if per_keypoint:
            used = n > 0
            value = value[used].mean(keepdims=True) if used.any() else np.full(1, np.nan)
            # A draw may leave a rare keypoint out altogether.
            there = ~np.isnan(draws)
            with np.errstate(invalid="ignore"):
                draws = np.nansum(draws, 1, keepdims=True) / there.sum(1, keepdims=True)
            n = n.sum(keepdims=True)
        low, high = self.bootstrap.interval(draws)
        for i, (group, kind, severity) in enumerate(names):
            if n[i] == 0:
                continue
            row = (self.scores.model, self.data.name, group, kind, severity, metric, decoding)
            row += (visibility, float(value[i]), float(low[i]), float(high[i]), int(n[i]))
            self.scores.rows.append(dict(zip(FIELDS, row, strict=True)))
            headline = visibility == ("all" if metric.startswith(("auc", "epe")) else "any")
            if severity == "" and headline and not metric.startswith("stable"):
                self.scores.draws[metric, group, kind, decoding] = draws[:, i]

    def _variety(self, clean):
        """See `Scores.variety`; NaN with fewer than 5 images."""
        if len(self.data) < 5:
            return float("nan")
        spread = np.sqrt(clean.var(0).sum(-1)).mean()
        mask = self._weights(self.all_labels)["all"]
        own = [
            np.sqrt(self.all_labels[mask[:, k], k, :2].var(0).sum())
            for k in range(mask.shape[1])
            if mask[:, k].sum() >= 5
        ]
        even = np.hypot(*self.protocol.size) / np.sqrt(12)
        return float(spread / max(np.mean(own) if own else even, 1e-6))
