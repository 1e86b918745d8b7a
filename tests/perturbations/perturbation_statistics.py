"""Statistics of perturbed pictures, and how far native ones may lie from the reference's.

All are paired over 200 pictures: what counts is the mean difference between the native and the
reference's result for the same picture. Two runs of the reference with different seeds say how
large that difference is by chance, so a bound is a small floor plus five standard errors.
"""

from functools import cache, lru_cache

import numpy as np
from perturbation_oracles import picture, reference_draw, stack_draws

from keras_shr.perturbations import SEVERITIES, reference
from keras_shr.perturbations._common import TRUNCATION_SLACK

COUNT, SIZE = 200, 64
SEED = 0  # of the native draws
DETERMINISTIC = (
    "brightness",
    "contrast",
    "defocus_blur",
    "gaussian_blur",
    "jpeg_compression",
    "saturate",
    "zoom_blur",
)
STANDARD_ERRORS = 5.0
# Floors: grey levels for means, deviations, histograms; logarithms of power for spectra.
FLOORS = {
    "mean": 0.1,
    "deviation": 0.1,
    "change": 0.1,
    "histogram": 0.1,
    "spectrum": 0.02,
    "directions": 0.02,
    "change_spectrum": 0.04,
    "change_directions": 0.04,
}
# Mean absolute difference in grey levels when the native perturbation gets the reference's draw.
PARITY_USUAL = 0.03
# Wider: whole numbers, and 29ths in the first disk, which the reference misses by a rounding error
# and truncates to one less. Narrower: few pixels of spatter depend on the thresholds of the edges.
PARITY = {("saturate", 3): 0.3, ("defocus_blur", 1): 0.1, ("brightness", 2): 0.1}
PARITY |= {("spatter", severity): 0.01 for severity in SEVERITIES}


@cache
def pictures():
    """uint8 `(200, 64, 64, 3)`; every fourth is pale, for what only shows in dull colours."""
    images = [picture(SIZE, SIZE, seed=1000 + i) for i in range(COUNT)]
    for i in range(0, COUNT, 4):
        images[i] = (90 + 0.3 * images[i]).astype("uint8")
    return np.stack(images)


@lru_cache(maxsize=32)
def reference_run(kind, severity, run):
    """The reference's pictures under seeds of their own for each run."""
    seeds = range(run * COUNT, (run + 1) * COUNT)
    pairs = zip(pictures(), seeds, strict=True)
    return np.stack([reference.perturb(image, kind, severity, seed) for image, seed in pairs])


@lru_cache(maxsize=10)
def reference_draws(kind, severity):
    """What the reference drew in its run 0, as parameters of the native `apply`."""
    draws = [reference_draw(kind, x, severity, i) for i, x in enumerate(pictures())]
    return stack_draws(draws)


@lru_cache(maxsize=12)
def reference_statistics(kind, severity, run):
    return statistics(reference_run(kind, severity, run))


def statistics(images):
    """Name -> float64 `(200, numbers)` of perturbed pictures."""
    change = images.astype("float32") - pictures()
    radial, directions = spectra(images)
    change_radial, change_directions = spectra(change)
    levels = np.arange(256)
    flat = images.reshape(COUNT, -1, 3)
    count = np.stack(
        [[np.bincount(x, minlength=256) for x in picture.T] for picture in flat]
    )  # (200, 3, 256)
    share = count / flat.shape[1]
    mean = share @ levels
    return {
        "mean": mean,
        "deviation": np.sqrt(np.maximum(share @ levels**2 - mean**2, 0)),
        "change": np.abs(change).mean(axis=(1, 2)),
        "spectrum": radial,
        "directions": directions,
        "change_spectrum": change_radial,
        "change_directions": change_directions,
        "histogram": np.cumsum(share, axis=2).reshape(COUNT, -1),
    }


def spectra(images):
    """Logarithm of the power by frequency `(200, 6)`, and by direction `(200, 12)`."""
    window = np.outer(np.hanning(SIZE), np.hanning(SIZE)).astype("float32")
    grey = images.mean(axis=-1, dtype="float32")
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.rfft2(grey * window)) ** 2 / (window**2).sum()
    power = power.reshape(COUNT, -1)
    # A tenth of a squared grey level: what truncation to 8 bits adds does not count.
    logarithms = [np.log(power @ sectors + 0.1) for sectors in _sectors()]
    # Directions relative to the mean over all of them.
    logarithms[1] = logarithms[1] - logarithms[1].mean(axis=1, keepdims=True)
    return logarithms


@cache
def _sectors():
    """Matrices that take the mean over rings an octave or half wide, and over slices of 15 degrees.

    The slices have the frequencies from 4 to 20 waves in the picture.
    """
    rows, columns = np.meshgrid(np.fft.fftfreq(SIZE), np.fft.rfftfreq(SIZE), indexing="ij")
    radius = np.hypot(rows, columns).ravel() * SIZE
    angle = np.degrees(np.arctan2(rows, columns)).ravel() % 180
    rings = np.digitize(radius, (1.5, 3, 6, 11, 16, 22)) - 1
    slices = np.where((radius >= 4) & (radius <= 20), angle // 15, -1)
    result = []
    for group, number in ((rings, 6), (slices, 12)):
        members = (group[:, None] == np.arange(number)).astype("float32")
        result.append(members / members.sum(axis=0))
    return result


def excess(kind, severity, images):
    """Name -> largest deviation of native pictures from the reference's, in units of its bound."""
    actual = statistics(images)
    runs = [reference_statistics(kind, severity, run) for run in _runs(kind)]
    result = {}
    for name, values in actual.items():
        expected = np.mean([run[name] for run in runs], axis=0)
        # The difference of two runs, scaled to the variance of one run less the mean of two.
        chance = (runs[0][name] - runs[-1][name]) * np.sqrt(0.75)
        measure = _histogram_distance if name == "histogram" else _distance
        found, by_chance = measure(values - expected, chance)
        result[name] = float(np.max(found / (floor(kind, severity, name) + by_chance)))
    return result


def _distance(difference, chance):
    return np.abs(difference.mean(axis=0)), STANDARD_ERRORS * chance.std(axis=0) / np.sqrt(COUNT)


def _histogram_distance(difference, chance):
    """Wasserstein-1 of the pooled histograms, by channel, in grey levels.

    By chance the sign of a picture's difference would be random: twice the largest distance that
    100 choices of signs give.
    """
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (100, COUNT)) / COUNT
    found, by_chance = (
        np.abs(x).reshape(-1, 3, 256).sum(axis=2) for x in (difference.mean(axis=0), signs @ chance)
    )
    return found[0], 2.0 * by_chance.max(axis=0)


def _runs(kind):
    return (0,) if kind in DETERMINISTIC else (0, 1)


def floor(kind, severity, name):
    # Of the whole numbers that severity 3 of saturate gives, the reference misses a fifth by a
    # rounding error and truncates them to one less.
    if (kind, severity) == ("saturate", 3) and name in ("mean", "change", "histogram"):
        return 0.3
    # All draws of glass blur are windows of one large shuffle, so they err together a little.
    if (kind, name) == ("glass_blur", "change"):
        return 0.3
    return FLOORS[name]


def parity(kind, severity, perturbed):
    """Mean absolute difference from run 0 of the reference, in units of its bound.

    Takes the first of the 200 pictures, as many as are given.
    """
    expected = reference_run(kind, severity, 0)[: len(perturbed)]
    difference = np.abs(perturbed.astype("float32") - expected).mean()
    return float(difference / PARITY.get((kind, severity), PARITY_USUAL))


def truncated(images):
    """As `perturb_kind` does it for uint8 images."""
    return np.floor(np.asarray(images) + TRUNCATION_SLACK).astype("uint8")
