"""jpeg_compression against what Pillow writes and reads: tables, blocks at the border, pixels."""

import io

import keras
import numpy as np
import pytest
from perturbation_oracles import apply_with, compiled, picture
from PIL import Image

from keras_shr.perturbations import _jpeg, perturb_kind, reference

KIND = "jpeg_compression"
TENSORFLOW = keras.backend.backend() == "tensorflow"
SEVERITIES = range(1, 6)
# Even, odd, whole numbers of 8 and of 16, one more and one less, in either direction.
SIZES = [(32, 32), (65, 47), (47, 65), (33, 34), (50, 56), (40, 63), (49, 64)]
SLOW_SIZES = [(64, 64), (128, 128), (256, 256), (240, 320), (255, 241)]


def hard_pictures(height, width):
    """Where a codec goes wrong first: full contrast, pure colours, ties of the rounding."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[:height, :width]
    board = np.where((rows + columns) % 2, 255, 0)
    stripes = np.stack([255 * (columns // 3 % 2), 255 * (rows // 5 % 2), 0 * rows], -1)
    # Where red equals green, the blue difference is a whole number and a half for every odd step.
    ties = np.stack([rows + columns, rows + columns, 3 * rows + 2 * columns], -1) % 256
    noise = rng.integers(0, 256, (height, width, 3))
    flat = np.broadcast_to(rng.integers(0, 256, 3), noise.shape)
    ramp = np.stack([columns, rows, 255 - columns], -1) % 256
    hard = np.stack([np.stack([board] * 3, -1), stripes, ties, noise, flat, ramp])
    return np.concatenate([hard, [picture(height, width, seed=3)]]).astype("uint8")


def differences(images):
    """Mean absolute difference to the reference, `(5, images)`: by severity."""
    count = len(images)
    severity = np.repeat(SEVERITIES, count)
    actual = apply_with(KIND, np.concatenate([images] * 5), severity, {})
    expected = [reference.perturb(images[i % count], KIND, s, 0) for i, s in enumerate(severity)]
    found = np.abs(actual.astype(float) - np.stack(expected)).mean(axis=(1, 2, 3))
    return found.reshape(5, count)


def test_tables_are_those_in_the_file():
    image = Image.fromarray(picture(32, 32))
    for quality, tables in zip(_jpeg._QUALITY, _jpeg.quantisation_tables(), strict=True):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        written = Image.open(file).quantization
        for i, table in enumerate(tables):
            np.testing.assert_array_equal(np.reshape(written[i], (8, 8)), table)


def test_transforms_are_inverse():
    """libjpeg's integer DCT is the orthonormal one to about 13 bits."""
    matrices = _jpeg._matrices()
    forward = matrices["rows_forward"].T / 2**2 / np.sqrt(8)
    frequency, sample = np.mgrid[:8, :8]
    exact = np.cos((2 * sample + 1) * frequency * np.pi / 16) / np.where(frequency, 2, np.sqrt(8))
    np.testing.assert_allclose(forward, exact, atol=1e-4)
    product = matrices["rows_inverse"].T @ matrices["rows_forward"].T * 2**18 * 2**11 / 2**26
    np.testing.assert_allclose(product, 8 * np.eye(8), atol=2e-3)


@pytest.mark.parametrize(
    "size", [*SIZES, *(pytest.param(s, marks=pytest.mark.slow) for s in SLOW_SIZES)], ids=str
)
def test_every_pixel_of_hard_pictures(size):
    """Luminance and colour, the last row and column of blocks included."""
    assert differences(hard_pictures(*size)).max() < 0.01


@pytest.mark.real_hands
@pytest.mark.parametrize("size", [(128, 128), (65, 47)], ids=str)
def test_photographs(real_hands, size):
    files = sorted(real_hands.glob("*/*.jpg"))
    images = [Image.open(f).convert("RGB") for f in files[:: len(files) // 12]]
    # Cut out as well as resized: the blocks of the photograph's own compression make ties.
    images = [
        x.resize(size[::-1]) if i % 2 else x.crop((0, 0, *size[::-1])) for i, x in enumerate(images)
    ]
    images = np.stack([np.asarray(x) for x in images])
    found = differences(images)
    print(size, found.mean(axis=1), found.max(axis=1))
    assert found.max() < 0.01


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_wrong_quality_is_noticed(monkeypatch, factor):
    images = picture(64, 64)[None]
    right = _jpeg.quantisation_tables()
    monkeypatch.setattr(_jpeg, "quantisation_tables", lambda: np.round(right * factor))
    assert differences(images).min() > 0.3


def test_grey_stays_grey():
    images = np.repeat(np.stack([picture(40, 56, seed=i)[..., :1] for i in range(5)]), 3, axis=-1)
    result = apply_with(KIND, images, SEVERITIES, {})
    assert (result == result[..., :1]).all()
    assert (result != images).any(axis=(1, 2, 3)).all()


def test_constant_picture_changes_as_a_whole():
    """A flat image keeps nothing but its DC level, which moves by half a step / 8 at most."""
    images = np.full((5, 35, 45, 3), 77, "uint8")
    result = apply_with(KIND, images, SEVERITIES, {}).astype(int)
    assert (result == result[:, :1, :1, :1]).all()
    step = _jpeg.quantisation_tables()[:, 0, 0, 0]
    assert (np.abs(result[:, 0, 0, 0] - 77) <= step / 16 + 0.5).all()


def test_each_image_has_its_own_severity():
    images = np.stack([picture(48, 64, seed=i) for i in range(5)])
    severity = np.array([4, 1, 5, 2, 3], "int32")
    together = apply_with(KIND, images, severity, {})
    for i, level in enumerate(severity):
        np.testing.assert_array_equal(
            together[i], apply_with(KIND, images[i : i + 1], [level], {})[0]
        )
        expected = reference.perturb(images[i], KIND, level, 0)
        assert (together[i] != expected).mean() < 1e-3


@pytest.mark.parametrize("size", [(32, 48), (37, 41)], ids=str)
def test_same_result_eager_and_compiled(size):
    images = np.stack([picture(*size, seed=i) for i in range(3)])
    severity = np.array([1, 3, 5], "int32")

    def function(x, s):
        return perturb_kind(x, KIND, s, 0, force=True)

    results = [np.asarray(function(images, severity)), compiled(function)(images, severity)]
    if TENSORFLOW:
        results.append(compiled(function, jit_compile=True)(images, severity))
    for result in results:
        assert result.dtype == np.uint8
        assert (result != results[0]).mean() < 1e-3


@pytest.mark.skipif(not TENSORFLOW, reason="tf.data runs TensorFlow operations")
def test_in_tf_data_with_an_unknown_batch():
    import tensorflow as tf

    images = np.stack([picture(33, 48, seed=i) for i in range(5)])
    dataset = tf.data.Dataset.from_tensor_slices((images, np.arange(1, 6, dtype="int32"))).batch(3)
    assert dataset.element_spec[0].shape == (None, 33, 48, 3)
    dataset = dataset.map(lambda x, s: perturb_kind(x, KIND, s, 0, force=True))
    result = np.concatenate(list(dataset.as_numpy_iterator()))
    expected = [reference.perturb(x, KIND, s + 1, 0) for s, x in enumerate(images)]
    assert (result != np.stack(expected)).mean() < 1e-3


def test_float_images_are_whole_levels():
    """As a decoder gives them, without the caller's truncation; between levels, the nearest."""
    images = picture(32, 40)[None]
    run = compiled(lambda x, s: perturb_kind(x, KIND, s, 0, force=True))
    severity = np.array([2], "int32")
    result = run(images.astype("float32"), severity)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, run(images, severity))
    grey = np.repeat(images[..., :1], 3, axis=-1).astype("float32")
    np.testing.assert_array_equal(run(grey + 0.3, severity), run(grey, severity))
