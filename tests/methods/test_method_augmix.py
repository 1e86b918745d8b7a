"""AugMix: its operations against Pillow, its mixtures, its divergence and its loss by hand."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from method_helpers import HEATMAP, KEYPOINTS, dots, numpy, small_network
from PIL import Image, ImageOps
from scipy.special import softmax
from scipy.stats import entropy

from keras_shr import _random
from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.methods import METHODS, AugMix
from keras_shr.methods import _photometric as photometric
from keras_shr.methods.augmix import augmix, jensen_shannon, spatial_distributions
from keras_shr.perturbations import EVALUATION_PERTURBATIONS
from tests import oracles


def varied(seed=0):
    """uint8 images: full range, low contrast, two levels, one level, mostly dark."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (5, 24, 20, 3))
    images[1] = 90 + images[1] // 8
    images[2] = np.where(images[2] > 128, 200, 30)
    images[3] = 77
    images[4] = images[4] ** 3 // 255**2
    return images.astype("uint8")


def pillow(image, operation, level):
    """AugMix's operation on one uint8 image, by Pillow."""
    image = Image.fromarray(image)
    changed = (
        lambda: ImageOps.autocontrast(image),
        lambda: ImageOps.equalize(image),
        lambda: ImageOps.posterize(image, 4 - int(level * 4 / 10)),
        lambda: ImageOps.solarize(image, 256 - int(level * 256 / 10)),
    )[operation]()
    return np.asarray(changed)


def by_tables(images, operations, level):
    """The same chain of operations on uint8 images, by tables."""
    rows = np.moveaxis(images, -1, 1).reshape(len(images) * 3, -1).astype("int32")
    counts = photometric.histograms(ops.convert_to_tensor(rows))
    table = ops.zeros_like(counts) + ops.arange(256, dtype="int32")
    for operation in operations:
        shape = (len(rows), 1)
        table = photometric.operate(
            table, counts, np.full(shape, operation, "int32"), np.full(shape, level, "float32")
        )
    changed = numpy(photometric.look_up(ops.cast(table, "float32"), ops.convert_to_tensor(rows)))
    return np.moveaxis(changed.reshape(len(images), 3, *images.shape[1:3]), 1, -1)


@pytest.mark.parametrize("operation", range(4))
def test_operations_are_pillow_s(operation):
    for level in (0.2, 2.6, 9.9):
        images = varied()
        expected = np.stack([pillow(image, operation, level) for image in images])
        found = by_tables(images, [operation], level)
        # Pillow stretches with a float factor, which can fall just short of a whole number.
        assert abs(found - expected).max() <= (operation == 0)
    assert photometric.OPERATIONS[operation] in (
        "autocontrast",
        "equalize",
        "posterize",
        "solarize",
    )


def test_chains_are_pillow_s():
    """Equalise after another operation needs the histogram of that operation's result."""
    for chain in ((2, 1), (3, 1, 2), (1, 3, 0), (2, 3, 1)):
        images = varied(1)
        expected = images
        for operation in chain:
            expected = np.stack([pillow(image, operation, 2.9) for image in expected])
        assert abs(by_tables(images, chain, 2.9) - expected).max() <= (0 in chain)


def test_no_operation_is_kept_for_evaluation():
    """Colour is the unseen `saturate`; the others that AugMix leaves out are corruptions too."""
    operations = set(photometric.OPERATIONS)
    assert not operations & {*EVALUATION_PERTURBATIONS, "color", "saturate", "sharpness"}


def mixtures(images, seed, mixes, width=3, depth=3, level=3.0):
    """The definition with Pillow and loops, on the same draws."""
    count = len(images)
    chain_seed, share_seed, amount_seed = _random.split(seed, 3)
    length_seed, kind_seed, level_seed = _random.split(chain_seed, 3)
    chains = mixes * width

    def draws(draw, shape, *arguments):
        """An image's draws are a row; the loops below want the image last."""
        return np.moveaxis(numpy(draw((count, *shape), *arguments)), 0, -1)

    lengths = draws(_random.integers, (1, chains), length_seed, 1, depth + 1)[0]
    kinds = draws(_random.integers, (depth, chains), kind_seed, 0, 4)
    levels = draws(_random.uniform, (depth, chains), level_seed, 0.1, level)
    shares = -np.log(1 - draws(_random.uniform, (mixes, width), share_seed))
    shares = shares / shares.sum(axis=1, keepdims=True)
    amounts = draws(_random.uniform, (mixes,), amount_seed)
    results = np.zeros((mixes, *images.shape))
    for mix, i in np.ndindex(mixes, count):
        for w in range(width):
            chain = mix * width + w
            image = images[i]
            for step in range(lengths[chain, i]):
                image = pillow(image, kinds[step, chain, i], levels[step, chain, i])
            results[mix, i] += shares[mix, w, i] * image
        results[mix, i] = (1 - amounts[mix, i]) * images[i] + amounts[mix, i] * results[mix, i]
    return results


def test_mixtures_match_the_oracle():
    images = np.concatenate([varied(2), varied(3)])
    found = compiled(lambda x: augmix(x, 5, mixes=2))(images.astype("float32"))
    np.testing.assert_allclose([numpy(x) for x in found], mixtures(images, 5, 2), atol=1.01)
    first, second = (numpy(x) for x in found)
    assert abs(first - second).max() > 10
    assert min(first.min(), second.min()) >= 0
    assert max(first.max(), second.max()) <= 255


def test_a_flat_image_stays_where_nothing_can_change_it():
    """One level 0 is a fixed point of all operations but solarise, which starts above it."""
    black = np.zeros((2, 8, 9, 3), "float32")
    (mixed,) = compiled(lambda x: augmix(x, 1))(black)
    np.testing.assert_array_equal(numpy(mixed), 0)


# Divergence


def test_divergence_by_hand():
    def maps(*values):
        return ops.convert_to_tensor(np.reshape(values, (1, 1, -1, 1)).astype("float32"))

    def divergence(*distributions):
        return numpy(jensen_shannon([maps(*d) for d in distributions])).item()

    assert divergence((0.3, 0.7), (0.3, 0.7), (0.3, 0.7)) == pytest.approx(0, abs=1e-6)
    # Three answers that share nothing: the logarithm of 3.
    assert divergence((1, 0, 0), (0, 1, 0), (0, 0, 1)) == pytest.approx(np.log(3), rel=1e-5)
    # M = (2/3, 1/3): twice log(3/2) and once log 3.
    expected = (2 * np.log(1.5) + np.log(3)) / 3
    assert divergence((1, 0), (1, 0), (0, 1)) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=6)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 20))
def test_divergence_matches_scipy(seed, spread):
    z = np.random.default_rng(seed).normal(0, spread, (3, 2, 4, 5, KEYPOINTS)).astype("float32")
    p = softmax(z.astype("float64"), axis=(2, 3)).reshape(3, 2, 20, KEYPOINTS)
    expected = np.mean([entropy(each, p.mean(axis=0), axis=1) for each in p], axis=0)

    @compiled
    def divergence(z):
        return jensen_shannon([spatial_distributions(each, 1.0) for each in (z[0], z[1], z[2])])

    found = numpy(divergence(z))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert found.max() <= np.log(3) + 1e-5
    np.testing.assert_allclose(numpy(divergence(z[[2, 0, 1]])), found, rtol=1e-4, atol=1e-6)


def test_why_plain_maps_take_a_temperature():
    """A plain softmax of a perfect Gaussian map is almost uniform; at 0.1 it holds the peak."""
    peak = oracles.gaussian((64, 64), 30, 20, 2.0)[None, ..., None].astype("float32")
    rows, columns = np.mgrid[:64, :64]
    near = np.hypot(columns - 30, rows - 20) < 6
    share = [numpy(spatial_distributions(peak, t))[0, ..., 0][near].sum() for t in (1.0, 0.1)]
    assert share[0] < 0.05
    assert share[1] > 0.9


def test_the_loss_by_hand():
    """Supervision of the clean map, and 12 times the divergence, over supervised keypoints."""
    rng = np.random.default_rng(0)
    z = rng.normal(0, 0.3, (3, 2, HEATMAP, HEATMAP, KEYPOINTS)).astype("float32")
    keypoints = dots(2)[1]
    keypoints[1, 0, 2] = 0
    weights = np.array([1.0, 3.0], "float32")
    model = AugMix(small_network())
    labels = {"keypoints": keypoints, "stability_weight": model.stability_weight}

    def loss(maps):
        with keras.StatelessScope():
            return model.compute_loss(None, labels, maps, weights)

    def terms(maps):
        return model.view_losses(model.targets(keypoints), ops.split(maps, 3), None, weights)

    flat = z.reshape(6, *z.shape[2:])
    found = float(compiled(loss)(flat))
    supervision, stability = (float(term) for term in compiled(terms)(flat))
    target = numpy(model.targets(keypoints))
    errors = 1000 * ((z[0] - target) ** 2).mean(axis=(1, 2))
    p = softmax(z / 0.1, axis=(2, 3)).reshape(3, 2, -1, KEYPOINTS)
    divergence = np.mean([entropy(each, p.mean(axis=0), axis=1) for each in p], axis=0)
    factor = np.array([[1, 1], [0, 3]]) / 3  # three supervised keypoints
    # Each alone: in the sum the larger one would hide faults of the other.
    assert supervision == pytest.approx((factor * errors).sum(), rel=1e-3)
    assert stability == pytest.approx((factor * divergence).sum(), rel=1e-3)
    assert found == pytest.approx(supervision + 12 * stability, rel=1e-4)


def test_views():
    images, keypoints = dots(4)
    network = small_network()
    model = AugMix(network, seed=2)
    pairs = compiled(lambda x: model.make_pairs((x, keypoints), 0)[0])(images)
    pairs = numpy(pairs)
    assert len(pairs) == 12
    np.testing.assert_array_equal(pairs[:4], images)
    assert abs(pairs[4:8] - images).mean() > 1
    alone = METHODS["augmix_no_jsd"].build(network, seed=2)
    (mixed,) = compiled(lambda x: alone.make_views(x, None, None, 3))(images.astype("float32"))
    assert mixed.shape == images.shape
    assert abs(numpy(mixed) - images).mean() > 1
    with pytest.raises(KerasShrError, match="width, depth, level and temperature are 0, 3"):
        AugMix(network, width=0)
