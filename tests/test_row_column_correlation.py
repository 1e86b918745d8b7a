import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import highly_differentiated_heatmap
from keras_shr.layers import RowColumnCorrelation, row_column_correlation
from tests import oracles
from tests.gradients import gradient

VARIANTS = ("row_column", "symmetric")


def correlate(heatmap, variant="row_column"):
    heatmap = np.asarray(heatmap, "float32")
    return ops.convert_to_numpy(row_column_correlation(heatmap[None, :, :, None], variant))[
        0, :, :, 0
    ]


@given(
    hnp.arrays(
        "float32",
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=20),
        elements=st.floats(0, 1, width=32).map(lambda v: np.float32(max(v, 1e-3))),
    ),
    st.sampled_from(VARIANTS),
)
def test_matches_the_formula(heatmap, variant):
    np.testing.assert_allclose(
        correlate(heatmap, variant), oracles.rcc(heatmap, variant), atol=2e-5, rtol=2e-5
    )


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0, 6.0])
def test_a_single_peak_survives_anywhere(variant, sigma):
    """Theorem 1, also where its factor C1 is far below what float32 holds."""
    places = [(x, y) for x in range(0, 64, 9) for y in range(0, 64, 9)]
    maps = np.stack([oracles.gaussian((64, 64), x, y, sigma) for x, y in places], -1)
    got = ops.convert_to_numpy(row_column_correlation(maps[None].astype("float32"), variant))[0]
    np.testing.assert_allclose(got, maps, atol=1e-3)
    flat = got.reshape(-1, len(places))
    assert [(i % 64, i // 64) for i in flat.argmax(axis=0)] == places


@given(st.floats(-0.4, 63.4), st.floats(-0.4, 63.4), st.floats(1.5, 8), st.sampled_from(VARIANTS))
def test_theorem_1_between_pixels(x, y, sigma, variant):
    heatmap = oracles.gaussian((64, 64), x, y, sigma)
    heatmap /= heatmap.max()
    np.testing.assert_allclose(correlate(heatmap, variant), heatmap, atol=1e-3)


@given(
    hnp.arrays("float64", 12, elements=st.floats(0.05, 1)),
    hnp.arrays("float64", 12, elements=st.floats(0.05, 1)),
    st.sampled_from(VARIANTS),
)
def test_theorem_1_for_every_outer_product(u, v, variant):
    heatmap = np.outer(u, v)
    np.testing.assert_allclose(correlate(heatmap, variant), heatmap / heatmap.max(), atol=1e-5)


@given(
    st.lists(
        st.tuples(st.integers(4, 27), st.integers(4, 27), st.floats(1.2, 3), st.floats(0.2, 1)),
        min_size=2,
        max_size=3,
    )
)
def test_theorem_2(peaks):
    """The product of a sum of peaks is the double sum over rows of one and columns of another.

    The integral over i is a sum over pixels here, so C_ab is computed as the printed sum.
    """
    grid = np.arange(32, dtype="float64")
    heatmap = sum(weight * oracles.gaussian((32, 32), x, y, sigma) for x, y, sigma, weight in peaks)
    expected = np.zeros((32, 32))
    for xa, ya, sa, wa in peaks:
        for xb, yb, sb, wb in peaks:
            c = (
                np.exp(-((grid - xa) ** 2) / (2 * sa**2))
                * np.exp(-((grid - yb) ** 2) / (2 * sb**2))
            ).sum()
            rows = np.exp(-((grid - ya) ** 2) / (2 * sa**2))
            columns = np.exp(-((grid - xb) ** 2) / (2 * sb**2))
            expected += wa * wb * c * np.outer(rows, columns)
    np.testing.assert_allclose(correlate(heatmap), expected / expected.max(), atol=1e-4)


def two_peaks(first, second, sigma=(2.0, 2.0), weight=(1.0, 1.0)):
    return sum(
        w * oracles.gaussian((64, 64), x, y, s)
        for (x, y), s, w in zip((first, second), sigma, weight, strict=True)
    )


def test_figure_3_narrow_peak_fades():
    after = correlate(two_peaks((20, 20), (44, 44), sigma=(3.0, 1.5)))
    assert after[44, 44] < 0.6


def test_figure_3_peak_far_from_the_diagonal_fades():
    after = correlate(two_peaks((20, 20), (50, 44)))
    assert after[44, 50] < 0.2


def test_figure_3_equal_peaks_stay():
    after = correlate(two_peaks((20, 20), (44, 44)))
    assert after[20, 20] == pytest.approx(after[44, 44], abs=1e-3)


def test_the_diagonal_prior_of_the_paper_and_its_absence_in_the_symmetric_variant():
    heatmap = two_peaks((50, 10), (30, 30), weight=(1.0, 0.1))
    assert np.unravel_index(correlate(heatmap).argmax(), (64, 64)) == (30, 30)
    assert np.unravel_index(correlate(heatmap, "symmetric").argmax(), (64, 64)) == (10, 50)


def test_symmetric_cubes_the_ratio_of_disjoint_peaks():
    heatmap = two_peaks((12, 12), (48, 44), weight=(1.0, 0.5))
    assert correlate(heatmap, "symmetric")[44, 48] == pytest.approx(0.5**3, abs=1e-3)


def test_cityblock_map_is_kept_and_chessboard_map_is_flattened():
    def gap(metric, variant):
        target = highly_differentiated_heatmap(
            [[[32, 32, 2]]], (64, 64), metric=metric, threshold=63
        )
        if metric == "chessboard":
            target = highly_differentiated_heatmap([[[32, 32, 2]]], (64, 64))
        after = np.sort(correlate(ops.convert_to_numpy(target)[0, :, :, 0], variant).ravel())
        return after[-1] - after[-2]

    for variant, flattened in (("row_column", 0.10), ("symmetric", 0.08)):
        assert gap("cityblock", variant) == pytest.approx(0.30, abs=1e-3)
        assert gap("chessboard", variant) == pytest.approx(flattened, abs=0.01)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (1, 7), (7, 1)])
def test_not_square(variant, shape):
    heatmap = np.random.default_rng(0).random(shape) + 0.1
    np.testing.assert_allclose(
        correlate(heatmap, variant), oracles.rcc(heatmap, variant), atol=1e-5
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_zero_map_stays_zero(variant):
    assert not correlate(np.zeros((8, 8)), variant).any()


def test_map_whose_product_vanishes_comes_back_normalised():
    heatmap = np.zeros((8, 8))
    heatmap[0, 7] = 0.25
    expected = np.zeros((8, 8))
    expected[0, 7] = 1.0
    np.testing.assert_array_equal(correlate(heatmap), expected)


@given(
    # Cast afterwards: where the processor flushes what is below float32's least normal number,
    # hypothesis takes its own comparison for a lost digit.
    hnp.arrays(
        "float64", (1, 6, 6, 2), elements=st.sampled_from([0.0, 1e-38, 1e-20, 1e-9, 0.5, 1e20])
    ).map(lambda maps: maps.astype("float32")),
    st.sampled_from(VARIANTS),
)
def test_gradients_are_finite(maps, variant):
    weights = np.random.default_rng(0).normal(size=maps.shape).astype("float32")
    weights = ops.convert_to_tensor(weights)
    slope = gradient(lambda m: ops.sum(row_column_correlation(m, variant) * weights), maps)
    # Where the input itself spans 40 orders of magnitude the true slope is beyond float32.
    if maps.max() <= 1 and maps[maps > 0].min(initial=1.0) >= 1e-20:
        assert np.isfinite(slope).all()
    values = ops.convert_to_numpy(row_column_correlation(maps, variant))
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (values <= 1).all()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("place", [(3, 3), (0, 11), (2, 9)])
def test_gradient_by_finite_differences(variant, place):
    rng = np.random.default_rng(1)
    logits = np.log(oracles.gaussian((12, 12), *place, 2.0) + 0.01) + rng.normal(0, 0.1, (12, 12))
    weights = rng.normal(size=(1, 12, 12, 1)).astype("float32")

    def value(z):
        maps = row_column_correlation(ops.exp(z), variant)
        return ops.sum(maps * ops.convert_to_tensor(weights))

    z = logits[None, :, :, None].astype("float32")
    slope = gradient(value, z)
    for _ in range(12):
        row, column = rng.integers(0, 12, 2)
        step = np.zeros_like(z)
        step[0, row, column, 0] = 1e-2

        def oracle(z):
            return (
                oracles.rcc(np.exp(z[0, :, :, 0].astype("float64")), variant) * weights[0, :, :, 0]
            ).sum()

        numeric = (oracle(z + step) - oracle(z - step)) / 2e-2
        assert slope[0, row, column, 0] == pytest.approx(numeric, abs=2e-2)


def test_logits_that_underflow_keep_their_gradient():
    """A far peak passes through: its logit can still be learned."""
    z = np.log(oracles.gaussian((64, 64), 60, 3, 1.5) + 1e-300)[None, :, :, None].astype("float32")
    z = np.maximum(z, -200)
    slope = gradient(lambda m: row_column_correlation(ops.exp(m))[0, 3, 59, 0], z)
    assert np.isfinite(slope).all()
    assert slope[0, 3, 59, 0] > 0.1


def test_unknown_variant_is_refused():
    with pytest.raises(KerasShrError, match="symmetric"):
        RowColumnCorrelation("diagonal")


def test_layer_in_a_functional_model_survives_saving(tmp_path):
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, RowColumnCorrelation("symmetric")(inputs))
    model.save(tmp_path / "rcc.keras")
    loaded = keras.saving.load_model(tmp_path / "rcc.keras")
    maps = np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(model.predict(maps, verbose=0), loaded.predict(maps, verbose=0))
