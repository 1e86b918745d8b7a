"""perturb: seeds, shares, shapes, types, refusals, and the same result however it is compiled."""

import keras
import numpy as np
import pytest
from perturbation_oracles import compiled, picture

from keras_shr import _random
from keras_shr.errors import KerasShrError
from keras_shr.perturbations import (
    ALL_PERTURBATIONS,
    EVALUATION_PERTURBATIONS,
    NATIVE,
    TRAINING_PERTURBATIONS,
    perturb,
    perturb_kind,
    perturb_with_labels,
)

TENSORFLOW = keras.backend.backend() == "tensorflow"
QUICK = ("brightness", "contrast", "gaussian_noise")


def images_of(count, size=(32, 40), seed=0):
    return np.stack([picture(*size, seed=seed + i) for i in range(count)])


def test_names():
    assert len(TRAINING_PERTURBATIONS) == 10
    assert len(EVALUATION_PERTURBATIONS) == 5
    assert ALL_PERTURBATIONS == TRAINING_PERTURBATIONS + EVALUATION_PERTURBATIONS
    assert not {"impulse_noise", "fog", "elastic_transform", "pixelate"} & set(ALL_PERTURBATIONS)


def test_all_ten_kinds_in_one_batch():
    images = images_of(20, (32, 32))
    run = compiled(lambda x, s: perturb_with_labels(x, s))
    result, kinds, severities = run(images, _random.as_seed(3))
    assert result.shape == images.shape
    assert result.dtype == np.uint8
    assert (np.bincount(kinds, minlength=10) == 2).all()
    assert severities.min() >= 1
    assert severities.max() <= 5
    again, *_ = run(images, _random.as_seed(3))
    np.testing.assert_array_equal(result, again)
    other, *_ = run(images, _random.as_seed(4))
    assert (result != other).any(axis=(1, 2, 3)).all()
    # Each image really went through the kind that is reported.
    for kind in range(10):
        for i in np.flatnonzero(kinds == kind):
            assert (result[i] != images[i]).any()
    clear = [TRAINING_PERTURBATIONS.index(k) for k in ("brightness", "contrast")]
    for i in np.flatnonzero(np.isin(kinds, clear)):
        alone = perturb_kind(
            images[i : i + 1], TRAINING_PERTURBATIONS[kinds[i]], int(severities[i]), 0
        )
        assert np.abs(np.asarray(alone)[0].astype(int) - result[i]).max() <= 1


@pytest.mark.parametrize(
    ("count", "chosen"),
    [
        (1, ("gaussian_noise", "glass_blur")),
        (3, ("gaussian_noise", "glass_blur")),
        (4, ("gaussian_blur", "saturate", "speckle_noise")),
        (3, ("spatter",)),
    ],
)
def test_same_result_eager_and_compiled(count, chosen):
    """Batches below and above the number of kinds."""
    if count == 1 and not TENSORFLOW:
        pytest.skip("eager JAX compiles every operation by itself: one batch is enough")
    images = images_of(count)

    def function(x, s):
        return perturb_with_labels(x, s, chosen, force=True)

    seed = _random.as_seed(11)
    results = [keras.tree.map_structure(np.asarray, function(images, seed))]
    results.append(compiled(function)(images, seed))
    if TENSORFLOW:
        import tensorflow as tf

        results.append(compiled(function, jit_compile=True)(images, seed))
        signature = [tf.TensorSpec([None, 32, 40, 3], "uint8"), tf.TensorSpec([2], "uint32")]
        dynamic = tf.function(function, input_signature=signature, autograph=False)
        results.append(keras.tree.map_structure(np.asarray, dynamic(images, seed)))
    for other in results[1:]:
        for a, b in zip(results[0][1:], other[1:], strict=True):
            np.testing.assert_array_equal(a, b)
        difference = np.abs(results[0][0].astype(int) - other[0])
        # A value on the edge of two grey levels may be truncated either way.
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


# Mean and deviation of two pictures at severities 2 and 4, as both backends made them.
MOMENTS = {
    "brightness": (181.880, 58.825),
    "defocus_blur": (129.325, 34.175),
    "zoom_blur": (128.872, 43.030),
    "frost": (163.661, 38.331),
    "contrast": (128.469, 18.407),
    "gaussian_noise": (128.357, 65.743),
    "glass_blur": (128.309, 40.286),
    "motion_blur": (126.214, 33.611),
    "shot_noise": (124.789, 72.295),
    "snow": (203.420, 44.976),
    "gaussian_blur": (128.565, 35.097),
    "jpeg_compression": (129.419, 44.891),
    "saturate": (122.679, 70.159),
    "spatter": (121.899, 52.503),
    "speckle_noise": (126.326, 63.672),
}


@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_a_kind_is_the_same_however_compiled_and_on_every_backend(kind):
    images, severity = images_of(2), np.array([2, 4], "int32")

    def function(x, s):
        return perturb_kind(x, kind, severity, s, force=True)

    seed = _random.as_seed(21)
    run = compiled(function)
    results = [run(images, seed)]
    if TENSORFLOW:  # eager JAX compiles each operation by itself, which takes minutes
        results += [np.asarray(function(images, seed))]
        results += [compiled(function, jit_compile=True)(images, seed)]
    for other in results[1:]:
        difference = np.abs(results[0].astype(int) - other)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3
    moments = results[0].mean(), results[0].std()
    np.testing.assert_allclose(moments, MOMENTS[kind], atol=0.02)


def test_kinds_and_severities_are_uniform():
    images = np.zeros((8, 32, 32, 3), "uint8")
    run = compiled(lambda x, s: perturb_with_labels(x, s, QUICK, (2, 4))[1:])
    kinds, severities = (
        np.stack(parts)
        for parts in zip(*(run(images, _random.as_seed(i)) for i in range(300)), strict=True)
    )
    assert set(np.unique(severities)) == {2, 4}
    assert abs((severities == 2).mean() - 0.5) < 0.05
    # Marginally uniform for each place of the batch, not only on average.
    share = np.stack([(kinds == k).mean(axis=0) for k in range(3)])
    assert np.abs(share - 1 / 3).max() < 0.12
    assert np.abs(share.mean(axis=1) - 1 / 3).max() < 0.03


def test_small_batch_gets_different_kinds():
    images = np.zeros((2, 32, 32, 3), "uint8")
    run = compiled(lambda x, s: perturb_with_labels(x, s, QUICK)[1])
    for i in range(20):
        kinds = run(images, _random.as_seed(i))
        assert kinds[0] != kinds[1]


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 1), ("float32", 1), ("float16", 3)])
def test_type_and_shape_are_kept(dtype, channels):
    images = images_of(4)[..., :channels].astype(dtype)
    result = compiled(lambda x, s: perturb(x, s, QUICK))(images, _random.as_seed(0))
    assert result.dtype == dtype
    assert result.shape == images.shape
    assert result.min() >= 0
    assert result.max() <= 255


@pytest.mark.parametrize("sizes", [(4, 3), (1, 5, 1), (2, 0, 5)])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.skipif(not TENSORFLOW, reason="under JAX one program has the whole batch")
def test_parts_of_a_batch_are_perturbed_as_in_the_whole(sizes, known):
    """What an image becomes does not depend on which replica has it."""
    import tensorflow as tf

    images, chosen = images_of(7), (*QUICK, "glass_blur")
    whole = compiled(lambda x, s: perturb_with_labels(x, s, chosen))(images, _random.as_seed(5))
    count = None if not known else 0
    signature = [tf.TensorSpec([count, 32, 40, 3], "uint8"), tf.TensorSpec([3], "uint32")]
    first = 0
    for size in sizes:
        if known:
            signature[0] = tf.TensorSpec([size, 32, 40, 3], "uint8")
        run = tf.function(
            lambda x, s: perturb_with_labels(x, s, chosen),
            input_signature=signature,
            autograph=False,
        )
        if known and not size:
            continue
        part = run(images[first : first + size], _random.at_row(5, first))
        for found, wanted in zip(part[1:], whole[1:], strict=True):
            np.testing.assert_array_equal(found, wanted[first : first + size])
        difference = np.abs(whole[0][first : first + size].astype(int) - part[0].numpy())
        assert difference.max(initial=0) <= 1
        assert (difference > 0).mean() < 1e-3 if size else part[0].shape[0] == 0
        first += size


@pytest.mark.parametrize("kind", EVALUATION_PERTURBATIONS)
def test_unseen_kinds_need_force(kind):
    images = images_of(2)
    way_out = r"pass force=True \(force_perturbations=True to a model\)"
    with pytest.raises(KerasShrError, match=f"{kind}.*unseen.*{way_out}"):
        perturb(images, 0, (*QUICK, kind))
    with pytest.raises(KerasShrError, match=f"{kind}.*unseen"):
        perturb_kind(images, kind, 1, 0)
    run = compiled(lambda x: perturb(x, 0, (*QUICK, kind), force=True))
    assert (run(images) != images).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_each_image_has_its_own_severity(kind):
    """With the same parameters an image comes out of a mixed batch as it does alone."""
    images = images_of(5).astype("float32")
    severity = np.array([4, 1, 5, 2, 3], "int32")
    draw = compiled(lambda x, s, k: NATIVE[kind].draw(x, s, k))
    apply = compiled(lambda x, s, p: NATIVE[kind].apply(x, s, p))
    parameters = draw(images, severity, _random.as_seed(6))
    together = apply(images, severity, parameters)
    for i in range(5):
        one = {key: value[i : i + 1] for key, value in parameters.items()}
        alone = apply(images[i : i + 1], severity[i : i + 1], one)
        # A value on the edge of two grey levels may fall either way before a second step.
        assert np.abs(together[i] - alone[0]).mean() < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"perturbations": ("fog",)}, "unknown perturbation 'fog'"),
        ({"perturbations": ()}, "empty"),
        ({"perturbations": ("snow", "snow")}, "twice"),
        ({"severities": (0, 1)}, "from 1 to 5"),
        ({"severities": ()}, "from 1 to 5"),
        ({"images": np.zeros((1, 31, 40, 3), "uint8")}, "32 or more"),
        ({"images": np.zeros((1, 40, 40, 4), "uint8")}, "3 channels"),
        ({"images": np.zeros((40, 40, 3), "uint8")}, "batch"),
        ({"images": images_of(1) / np.float32(255)}, "expected 0..255"),
        ({"seed": None}, "seed is None"),
        ({"seed": 0.5}, "seed is 0.5"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(KerasShrError, match=message):
        perturb(**({"images": images_of(1), "seed": 0} | arguments))


@pytest.mark.parametrize("severity", [0, 6, 2.7, np.array([1, 6]), [0, 2]], ids=str)
def test_severities_of_one_kind_are_checked(severity):
    with pytest.raises(KerasShrError, match="from 1 to 5"):
        perturb_kind(images_of(2), "contrast", severity, 0)


def test_empty_batch_stays_empty():
    empty = images_of(1)[:0]
    assert perturb(empty, 0).shape == (0, 32, 40, 3)


@pytest.mark.parametrize("kind", NATIVE)
def test_an_empty_batch_of_any_kind_stays_empty(kind):
    empty = images_of(1)[:0]
    found = perturb_kind(empty, kind, 3, 0, force=True)
    assert (found.shape, np.asarray(found).dtype) == (empty.shape, empty.dtype)


@pytest.mark.skipif(not TENSORFLOW, reason="JAX shapes are always known")
def test_unknown_size_is_named():
    import tensorflow as tf

    signature = [tf.TensorSpec([2, None, 8, 3])]
    function = tf.function(lambda x: perturb(x, 0), input_signature=signature, autograph=False)
    with pytest.raises(KerasShrError, match="known height and width"):
        function(tf.zeros((2, 40, 8, 3)))


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("kind", TRAINING_PERTURBATIONS)
def test_what_resampling_leaves_beyond_the_range_is_taken_as_its_end(kind, severity):
    """Bicubic resampling overshoots at edges; shot noise looked its grey levels up elsewhere."""
    beyond = np.full((1, 32, 32, 3), 264.0, "float32")
    beyond[:, 16:] = -9.0
    inside = np.clip(beyond, 0, 255)
    found, expected = (
        keras.ops.convert_to_numpy(perturb_kind(x, kind, severity, _random.as_seed(1)))
        for x in (beyond, inside)
    )
    assert np.isfinite(found).all()
    assert abs(found.mean() - expected.mean()) < 12
