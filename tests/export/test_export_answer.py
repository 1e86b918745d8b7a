"""The exported graph's maps: the layer's own, and what becomes of them in half precision."""

import itertools

import keras
import numpy as np
import pytest
from export_helpers import documented_decoder, numpy, solving_model
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_shr.export.answer import answer_maps, row_column, symmetric
from keras_shr.export.description import describe
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models import PairedHeatmapModel

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export runs on TensorFlow"
)
KINDS = {
    **{f"{rcc}": {"rcc": rcc} for rcc in ("row_column", "symmetric")},
    "training_only": {"rcc": "symmetric", "rcc_in_inference": False},
    "no_rcc": {"rcc": None},
    "baseline": {"rcc": None, "target": "gaussian"},
    "gaussian_rcc": {"rcc": "row_column", "target": "gaussian"},
}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return solving_model(**KINDS[request.param])


@pytest.mark.parametrize("spread", [0.1, 1, 5, 30, 300])
def test_maps_are_the_models(model, spread):
    logits = np.random.default_rng(0).normal(0, spread, (4, 16, 16, 3)).astype("float32")
    np.testing.assert_allclose(
        numpy(answer_maps(model, ops.convert_to_tensor(logits))),
        numpy(model.output_maps(logits)),
        atol=2e-6,
    )


@settings(max_examples=10)
@given(st.integers(2, 9), st.integers(2, 9), st.floats(0.1, 40), st.integers(0, 99))
def test_maps_that_are_not_square(height, width, spread, seed):
    logits = np.random.default_rng(seed).normal(0, spread, (2, height, width, 2)).astype("float32")
    logs = logits - logits.max((1, 2), keepdims=True)
    maps = np.exp(logs.astype("float64")).transpose(0, 3, 1, 2)
    for function, expected in (
        (row_column, _padded_square_product(maps)),
        (symmetric, maps @ maps.transpose(0, 1, 3, 2) @ maps),
    ):
        got = numpy(function(ops.convert_to_tensor(logs)))
        highest = expected.max((2, 3), keepdims=True)
        if function is row_column and (highest < 1e-6).any():
            continue  # the layer drops factors that a formula without rounding keeps
        np.testing.assert_allclose(
            got / got.max((2, 3), keepdims=True), expected / highest, atol=1e-4
        )


def _padded_square_product(maps):
    height, width = maps.shape[2:]
    side = max(height, width)
    square = np.zeros((*maps.shape[:2], side, side))
    square[:, :, :height, :width] = maps
    return (square @ square)[:, :, :height, :width]


def far_peaks(size=64, sigma=2.0):
    """Logits `(1, size, size, n)` of one Gaussian each, most of them far off the diagonal."""
    places = [*itertools.product((1, 12, 31, 47, 62), repeat=2), (0, 63), (63, 0)]
    rows, columns = np.mgrid[:size, :size]
    logits = [-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2) for x, y in places]
    return np.stack(logits, -1)[None].astype("float32"), places


@pytest.mark.parametrize("rcc", ["row_column", "symmetric"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("floor", [-6.0, -15.0, -1000.0])
def test_a_peak_far_off_the_diagonal_survives(rcc, dtype, floor):
    """float16 is what a phone's GPU computes in; the smallest number it knows is 6e-8."""
    logits, places = far_peaks()
    noise = np.random.default_rng(0).uniform(-0.5, 0, logits.shape)
    logits = np.maximum(logits, floor + noise).astype(dtype)
    model = solving_model(rcc=rcc)
    maps = numpy(answer_maps(model, ops.convert_to_tensor(logits)))[0]
    assert maps.dtype == dtype
    assert np.isfinite(maps).all()
    np.testing.assert_allclose(maps.max((0, 1)), 1, atol=1e-3)
    if rcc == "row_column" and floor > -1000:
        # On a background the paper's correlation itself may prefer another place: as the layer.
        expected = numpy(model.output_maps(logits.astype("float32")))[0]
        np.testing.assert_allclose(maps, expected, atol=0.05 if dtype == "float16" else 1e-5)
        return
    index = maps.reshape(-1, len(places)).argmax(0)
    assert [(i % 64, i // 64) for i in index] == places


def test_half_precision_stays_near_float32_with_several_peaks():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    logits = np.full((1, 32, 32, 20), -12.0, "float32")
    for k, _ in itertools.product(range(20), range(3)):
        x, y = rng.uniform(0, 31, 2)
        peak = rng.uniform(-3, 0) - ((columns - x) ** 2 + (rows - y) ** 2) / 6
        logits[0, :, :, k] = np.maximum(logits[0, :, :, k], peak)
    for rcc in ("row_column", "symmetric"):
        model = solving_model(rcc=rcc)
        half = numpy(answer_maps(model, ops.convert_to_tensor(logits.astype("float16"))))
        np.testing.assert_allclose(half, numpy(model.output_maps(logits)), atol=0.02)


def test_a_class_with_maps_of_its_own_keeps_them():
    class Own(PairedHeatmapModel):
        def output_maps(self, logits, training=False):
            return logits * 2

    own = Own(solving_model().network, perturbations=None)
    logits = np.ones((1, 16, 16, 3), "float32")
    np.testing.assert_array_equal(numpy(answer_maps(own, ops.convert_to_tensor(logits))), 2)


@pytest.mark.parametrize("method", ["argmax", "centroid"])
def test_the_documented_decoder_is_ours(method):
    rng = np.random.default_rng(0)
    maps = rng.normal(0, 1, (5, 12, 20, 4)) ** 3
    maps[0, :, :, 0], maps[1, 3, 4, 1], maps[2, 0, 0, 2] = 0, np.nan, np.inf
    maps[3, 5, 5:9, 3] = 50  # a tie: the first of them
    maps = maps.astype("float32")
    model = solving_model()
    info = describe(model, "x", "onnx", "none", "heatmaps", method, None)
    info["decoding"] |= {"score_radius": 2, "image_size": [48, 100], "heatmap_size": [12, 20]}
    expected = decode(maps, method, score_radius=2)
    expected = numpy(heatmap_to_image(expected, (48, 100), (12, 20)))
    got = np.stack([documented_decoder()(one, info) for one in maps])
    np.testing.assert_allclose(got, expected, atol=1e-3)
