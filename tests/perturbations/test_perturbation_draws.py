"""The laws of the random parameters, against the reference's constants and its own shuffle."""

import numpy as np
import pytest
from perturbation_oracles import (
    RANDOM_KINDS,
    SPATTER_LAW,
    compiled,
    picture,
    reference_glass_source,
)
from scipy import stats

from keras_shr import _random
from keras_shr.perturbations import NATIVE, _frost_pictures, perturb_kind, reference


def draw(kind, count, size, severity, seed=0):
    images = np.zeros((count, *size, 3), "float32")
    levels = np.full(count, severity, "int32")
    run = compiled(lambda i, s, k: NATIVE[kind].draw(i, s, k))
    return run(images, levels, _random.as_seed(seed))


def test_motion_angles_are_uniform():
    angle = draw("motion_blur", 2000, (32, 32), 1)["angle"]
    assert stats.kstest(angle, stats.uniform(-45, 90).cdf).pvalue > 1e-3


def test_snow_draws():
    parameters = draw("snow", 3000, (32, 32), 1)
    assert stats.kstest(parameters["angle"], stats.uniform(-135, 90).cdf).pvalue > 1e-3
    assert stats.kstest(parameters["noise"].ravel()[:50000], "norm").pvalue > 1e-3


@pytest.mark.parametrize("kind", ["gaussian_noise", "speckle_noise"])
def test_noise_is_normal_and_uncorrelated(kind):
    noise = draw(kind, 8, (64, 64), 1)["noise"]
    check_white_noise(noise)


@pytest.mark.parametrize("severity", range(1, 6))
def test_spatter_starts_from_the_noise_of_the_reference(severity):
    noise = draw("spatter", 16, (64, 48), severity)["noise"]
    assert noise.shape == (16, 64, 48)
    mean, deviation = SPATTER_LAW[severity - 1]
    check_white_noise((noise - mean) / deviation)


def check_white_noise(noise):
    """Standard normal, and neighbours along each axis without correlation."""
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    for axis in range(noise.ndim):
        first, second = (np.take(noise, range(i, noise.shape[axis] - 1 + i), axis) for i in (0, 1))
        assert abs(np.mean(first * second)) < 5 / np.sqrt(first.size)


def test_frost_reaches_every_picture_and_stays_inside():
    size = (40, 56)
    parameters = draw("frost", 3000, size, 1)
    count = np.bincount(parameters["picture"], minlength=6)
    assert stats.chisquare(count).pvalue > 1e-3
    _, sizes, _ = _frost_pictures.atlas(*size)
    room = sizes[parameters["picture"]] - size
    for i, name in enumerate(("top", "left")):
        corner = parameters[name]
        assert corner.min() >= 0
        assert (corner < room[:, i]).all()
        assert stats.kstest((corner + 0.5) / room[:, i], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("severity", [1, 5])
def test_shot_noise_is_poisson(severity):
    """Counts of each of a few grey levels against the Poisson law (chi squared)."""
    rate = (60, 25, 12, 5, 3)[severity - 1]
    levels = np.array([0, 3, 40, 128, 255], "float32")
    images = np.broadcast_to(levels[:, None, None, None], (5, 128, 128, 3))
    run = compiled(lambda x, s, k: NATIVE["shot_noise"].draw(x, s, k)["uniform"])
    uniform = run(images, np.full(5, severity, "int32"), _random.as_seed(1))
    apply = compiled(lambda x, s, u: NATIVE["shot_noise"].apply(x, s, {"uniform": u}))
    noisy = apply(images, np.full(5, severity, "int32"), uniform)
    for level, values in zip(levels, noisy, strict=True):
        count = np.rint(values.ravel() * rate / 255).astype(int)  # clipped at `rate`
        mean = level / 255 * rate
        expected = stats.poisson.pmf(np.arange(rate + 1), mean) * count.size
        expected[-1] += stats.poisson.sf(rate, mean) * count.size
        observed = np.bincount(count, minlength=rate + 1)
        usual = expected > 10
        assert observed[~usual].sum() < 10 + 3 * expected[~usual].sum()
        if usual.sum() > 1:
            chi = ((observed - expected)[usual] ** 2 / expected[usual]).sum()
            assert stats.chi2.sf(chi, usual.sum() - 1) > 1e-4


@pytest.mark.parametrize("severity", range(1, 6))
def test_glass_displacements_follow_the_reference_shuffle(severity):
    """How far pixels come: the share of each displacement, the spread, how many are lost."""
    size = (80, 96)
    ours = draw("glass_blur", 24, size, severity)["source"]
    theirs = np.stack([reference_glass_source(*size, severity, seed) for seed in range(24)])
    place = np.arange(size[0] * size[1]).reshape(size)
    laws, moments, kept = [], [], []
    for source in (ours, theirs):
        rows = source // size[1] - place // size[1]
        columns = source % size[1] - place % size[1]
        inside = np.s_[:, 12:-12, 12:-12]  # the border is approximate
        histogram, *_ = np.histogram2d(
            rows[inside].ravel(), columns[inside].ravel(), bins=[np.arange(-12.5, 13)] * 2
        )
        laws.append(histogram / rows[inside].size)
        moments.append([rows[inside].mean(), columns[inside].mean(), rows[inside].std()])
        kept.append(np.mean([len(np.unique(s[12:-12, 12:-12])) for s in source]))
    assert np.abs(laws[0] - laws[1]).sum() / 2 < 0.05  # total variation; sampling alone gives 0.04
    np.testing.assert_allclose(moments[0], moments[1], atol=0.06)
    assert kept[0] == pytest.approx(kept[1], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RANDOM_KINDS)
def test_statistics_agree_with_the_reference(kind):
    """Mean, spread and distance to the clean image over pictures, severities 2 and 4."""
    count, size = 24, (48, 64)
    images = np.stack([picture(*size, seed=i) for i in range(count)])
    run = compiled(lambda i, s, k: perturb_kind(i, kind, s, k, force=True))
    for severity in (2, 4):
        ours = run(images, np.full(count, severity, "int32"), _random.as_seed(5))
        theirs = np.stack([reference.perturb(x, kind, severity, i) for i, x in enumerate(images)])
        figures = [
            (x.mean(), x.std(), np.abs(x - images.astype(float)).mean())
            for x in (ours.astype(float), theirs.astype(float))
        ]
        # Frost and snow vary most from picture to picture.
        tolerance = {"frost": 0.2, "snow": 0.12}.get(kind, 0.05)
        np.testing.assert_allclose(figures[0], figures[1], rtol=tolerance)


def test_made_up_frost():
    frost = _frost_pictures.procedural((120, 160), seed=0)
    assert frost.dtype == np.uint8
    assert frost.shape == (120, 160, 3)
    assert 60 < frost.mean() < 200
    assert frost.std() > 20


def test_frost_without_the_reference_package(monkeypatch):
    monkeypatch.setattr(_frost_pictures.importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="imagecorruptions-imaug is not installed"):
        pictures = _frost_pictures._originals.__wrapped__()
    assert [picture.shape[:2] for _, picture in pictures] == list(_frost_pictures._SIZES)
