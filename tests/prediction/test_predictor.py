"""Keypoints in pictures of any size, in boxes and along a video."""

import weakref

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from prediction_helpers import POINTS, SKELETON, lamp_model, lamps

import keras_shr
from keras_shr.data.images import SquareBox
from keras_shr.errors import DataError, KerasShrError
from keras_shr.models import PairedHeatmapModel
from keras_shr.prediction import Predictor, portions, search


@pytest.fixture(scope="module")
def predictor():
    return Predictor(lamp_model(), method="centroid")


@given(
    st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 500), st.integers(8, 256), st.integers(0)
)
def test_crops_map_back(left, top, side, size, seed):
    points = np.random.default_rng(seed % 2**32).uniform(-20, 300, (5, 2))
    box = SquareBox(left, top, side)
    back = box.unmap_points(box.map_points(points, size), size)
    np.testing.assert_allclose(back, points, atol=1e-6)


def test_whole_pictures_of_any_shape(predictor):
    wide, tall = lamps(100, 160, POINTS, 6), lamps(160, 100, [(y, x) for x, y in POINTS], 6)
    found = predictor.predict([wide, tall], heatmaps=True, whole=True)
    # The crop is 160 px wide, so a heatmap pixel is 5 px.
    np.testing.assert_allclose(found[0].keypoints[0, :, :2], POINTS, atol=2)
    np.testing.assert_allclose(found[1].keypoints[0, :, 1::-1], POINTS, atol=2)
    np.testing.assert_array_equal(found[0].boxes, [[0, -30, 160, 160]])
    assert found[0].heatmaps.shape == (1, 32, 32, 3)
    assert 0 < found[0].scores[0] <= 1


def test_pictures_without_boxes_are_searched(predictor):
    points = [(x / 4 + 300, y / 4 + 40) for x, y in POINTS]
    picture = lamps(240, 400, points, 4)
    whole = predictor(picture, whole=True).keypoints[0, :, :2]
    assert np.abs(whole - points).max() > 2  # one look, at 12.5 px a heatmap pixel
    found = predictor.predict([picture] * 3, [None, [[290, 30, 60, 40]], []], heatmaps=True)
    for one in found[:2]:
        np.testing.assert_allclose(one.keypoints[0, :, :2], points, atol=1.5)
        assert one.heatmaps.shape == (1, 32, 32, 3)
    assert [len(one.boxes) for one in found] == [1, 1, 0]
    np.testing.assert_array_equal(found[0].boxes, search(predictor, picture).boxes)
    np.testing.assert_array_equal(predictor(picture).keypoints, found[0].keypoints)


def test_boxes_are_looked_at_closer(predictor):
    picture = lamps(300, 400, [(x + 200, y + 100) for x, y in POINTS])
    boxes = [[225, 115, 80, 60], [230, 110, 70, 60]]
    found = predictor(picture, boxes)
    assert found.keypoints.shape == (2, 3, 3)
    for keypoints in found.keypoints:
        np.testing.assert_allclose(keypoints[:, :2] - [200, 100], POINTS, atol=1.5)
    # 1.25 times the longer side, about the box's middle.
    np.testing.assert_allclose(found.boxes[0], [215, 95, 100, 100])
    assert found.heatmaps is None


def test_batches_do_not_change_the_answer():
    model = lamp_model()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (40, 50, 3), dtype=np.uint8) for _ in range(5)]
    several = [Predictor(model, batch_size=b).predict(pictures, whole=True) for b in (2, 8)]
    for one, other in zip(*several, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)


def test_files_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    """Hundreds of photographs do not fit the memory together."""
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        Image.fromarray(lamps(60, 60, [(10 + 5 * i, 30)] * 3)).save(path)
    predictor = Predictor(lamp_model())
    expected = [predictor(path, whole=True).keypoints for path in paths]
    monkeypatch.setattr(portions, "_BYTES_AT_ONCE", 2 * 60 * 60 * 3)
    alive, most, read = [], [], Predictor._picture

    def counted(self, picture, number):
        array = read(self, picture, number)
        alive.append(weakref.ref(array))
        most.append(sum(one() is not None for one in alive))
        return array

    monkeypatch.setattr(Predictor, "_picture", counted)
    found = predictor.predict(paths, whole=True)
    assert max(most) <= 3  # two, and the one that is being read
    for one, keypoints in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.keypoints, keypoints, atol=1e-4)


def test_a_single_picture_is_computed_once(monkeypatch):
    predictor, seen = Predictor(lamp_model()), []
    run = predictor.model.predict_on_batch

    def predict_on_batch(batch):
        seen.append(len(batch))
        return run(batch)

    monkeypatch.setattr(predictor.model, "predict_on_batch", predict_on_batch)
    picture = lamps(40, 50, POINTS)
    predictor(picture, whole=True)
    predictor.predict([picture] * 37, whole=True)
    assert seen == [1, 32, 8]


def test_pictures_without_boxes_and_lists_without_pictures(predictor):
    found = predictor(lamps(40, 40, POINTS), boxes=[])
    assert found.keypoints.shape == (0, 3, 3)
    assert found.boxes.shape == (0, 4)
    assert predictor.predict([]) == []


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "I;16", "CMYK"])
def test_files_of_every_mode(predictor, tmp_path, mode):
    picture = Image.fromarray(lamps(64, 64, [(20, 40)] * 3, 5))
    if mode == "I;16":
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        picture = Image.fromarray(grey)
    else:
        picture = picture.convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(path)
    keypoints = predictor(path).keypoints[0]
    np.testing.assert_array_equal(predictor(Image.open(path)).keypoints[0], keypoints)
    assert np.abs(keypoints[1, :2] - [20, 40]).max() < 3


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_arrays_of_any_channels_are_taken_as_files_are(predictor, tmp_path, mode):
    picture = Image.fromarray(lamps(64, 64, [(20, 40)] * 3, 5)).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.fromarray(lamps(64, 64, [(24, 40)] * 3, 5)[..., 0]))
    picture.save(tmp_path / "a.png")
    expected = predictor(tmp_path / "a.png", whole=True).keypoints
    array = np.asarray(picture)
    for same in [array, array[..., None]] if array.ndim == 2 else [array, array.copy(order="F")]:
        np.testing.assert_array_equal(predictor(same, whole=True).keypoints, expected)
    assert np.abs(expected[0, 1, :2] - [20, 40]).max() < 4


def test_exif_rotation_is_applied(predictor, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter, clockwise
    Image.fromarray(lamps(60, 100, POINTS, 5)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    keypoints = predictor(tmp_path / "a.jpg").keypoints[0]
    with Image.open(tmp_path / "a.jpg") as opened:
        np.testing.assert_array_equal(predictor(opened).keypoints[0], keypoints)
    turned = [(59 - y, x) for x, y in POINTS]
    assert np.abs(keypoints[1:, :2] - turned[1:]).max() < 4  # JPEG halves the colours' resolution


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (3000, 2000)])
def test_tiny_and_huge_pictures(predictor, size):
    found = predictor(np.full((*size, 3), 90, np.uint8))
    assert np.isfinite(found.keypoints).all()


def test_errors(predictor, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.jpg: cannot be read as a picture"):
        predictor(tmp_path / "a.jpg")
    picture = lamps(32, 32, POINTS)
    with pytest.raises(DataError, match=r"picture 0: box is \[1, 2, 0, 4\]"):
        predictor(picture, [[1, 2, 0, 4]])
    with pytest.raises(DataError, match="picture 0 is float64"):
        predictor(picture / 255)
    with pytest.raises(DataError, match="1 lists of boxes for 2 pictures"):
        predictor.predict([picture, picture], [None])
    with pytest.raises(KerasShrError, match="Sequential does not predict keypoints"):
        Predictor(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)]))
    grey = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1)])
    with pytest.raises(KerasShrError, match="images of 1 channels, a Predictor's pictures are RGB"):
        Predictor(PairedHeatmapModel(grey, perturbations=None))
    with pytest.raises(KerasShrError, match=r"^there is no file"):
        Predictor(tmp_path / "none.keras")
    with pytest.raises(KerasShrError, match="method is 'mean'; it must be one of argmax, dark"):
        Predictor(lamp_model(), method="mean")


def test_a_box_outside_its_picture_is_refused(predictor):
    picture = lamps(32, 48, POINTS)
    for box in ([5000, 5000, 40, 40], [48, 0, 5, 5], [0, 32, 5, 5], [-5, 0, 5, 9], [0, -9, 9, 9]):
        with pytest.raises(DataError, match=r"picture 0: box \[.* outside the picture, .* 48x32$"):
            predictor(picture, [box])
    partly = [[47, 0, 5, 5], [0, 31, 5, 5], [-4, 0, 5, 9], [0, -8, 9, 9], [-9, -9, 90, 90]]
    assert len(predictor(picture, partly).boxes) == 5


def test_the_margin_of_a_search_is_the_predictors():
    points = [(x / 4 + 300, y / 4 + 40) for x, y in POINTS]
    picture = lamps(240, 400, points, 2)
    for margin in (1.8, 4):
        found = Predictor(lamp_model(), method="centroid", margin=margin)(picture)
        extent = np.ptp(found.keypoints[0, :, :2], axis=0).max()
        assert found.boxes[0, 2] == pytest.approx(margin * extent, rel=0.1)
    for margin in (0.9, float("nan"), float("inf")):
        with pytest.raises(KerasShrError, match=f"margin is {margin}; expected 1 or more"):
            Predictor(lamp_model(), margin=margin)


def test_what_is_no_picture_is_named_and_what_is_one_too(predictor, tmp_path):
    picture = lamps(32, 32, POINTS)
    accepted = r"expected uint8 \(height, width\) or .* the path of a file or a Pillow image$"
    for wrong, named in (
        ([picture, picture], "is list,"),
        (keras.ops.convert_to_tensor(picture), "Tensor|Array"),
        (None, "NoneType"),
        (b"photo.jpg", "bytes b'photo.jpg'"),
        (Image.new("RGB", (0, 5)), "Image"),
        (picture[None], r"uint8 \(1, 32, 32, 3\)"),
        (picture[0, :, 0], r"uint8 \(32,\)"),
        (np.zeros((32, 32, 5), np.uint8), r"uint8 \(32, 32, 5\)"),
        (np.zeros((32, 0, 1), np.uint8), r"uint8 \(32, 0, 1\)"),
    ):
        with pytest.raises(DataError, match=rf"^picture 0 .*({named}).* {accepted}"):
            predictor(wrong)
    with pytest.raises(DataError, match=r"picture 0: a floating-point picture"):
        predictor(Image.fromarray(np.zeros((8, 8), "float32")))
    Image.fromarray(lamps(64, 64, POINTS)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-400])
    with (
        Image.open(tmp_path / "cut.png") as cut,
        pytest.raises(DataError, match=r"picture 1: cannot be read as a picture \(.*truncated"),
    ):
        predictor.predict([picture, cut])


def test_one_picture_where_several_are_expected(predictor, tmp_path):
    picture = lamps(32, 32, POINTS)
    for one in (
        "photo.jpg",
        tmp_path / "photo.jpg",
        picture,
        picture[..., 0],
        Image.new("L", (9, 9)),
    ):
        with pytest.raises(DataError, match=r"a list of pictures and got one .*; for a"):
            predictor.predict(one)
    assert len(predictor.predict(np.stack([lamps(32, 32, POINTS)] * 2))) == 2


def test_a_saved_model_by_its_path(tmp_path):
    lamp_model().save(tmp_path / "lamps.keras")
    predictor = keras_shr.Predictor(tmp_path / "lamps.keras")
    assert predictor.skeleton == SKELETON
    picture = lamps(64, 64, [(10, 20), (50, 30), (30, 50)])
    assert np.abs(predictor(picture).keypoints[0, 0, :2] - [10, 20]).max() < 2
