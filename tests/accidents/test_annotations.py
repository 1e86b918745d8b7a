"""What of an annotation is an error and what is legal, the same in every format.

An error: another number of keypoints, a labelled keypoint that is not finite or a million pixels
away, a visibility that is none, two records of one id, text that is no name. Legal: a keypoint
outside the picture, which trains and measures nothing; anything at all where a keypoint has no
label; x and y exchanged, which no reader can see, but which then mostly lie outside; and whatever
this package does not read, such as RHD's camera matrix.
"""

import json
import pickle

import keras
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from keras_shr.cli import main
from keras_shr.data import (
    COCOReader,
    FolderReader,
    KeypointData,
    PreparedReader,
    RHDReader,
    STBReader,
    load_arrays,
    prepare,
)
from keras_shr.data.examples import encode_example
from keras_shr.data.images import encode_image
from keras_shr.data.prepared import decode_record
from keras_shr.errors import DataError
from keras_shr.metrics import KeypointAUC
from keras_shr.models import PairedHeatmapModel
from keras_shr.skeletons import Skeleton
from tests.small_sets import grey_picture, make_coco, make_folder, make_rhd, make_stb, save

COUNTS = {"rhd": 42, "stb": 21, "coco": 3, "folder": 4, "example": 4}


def _rhd(root, points, record=0):
    make_rhd(root)
    path = root / "training" / "anno_training.pickle"
    annotations = pickle.loads(path.read_bytes())
    visibility = np.minimum(np.asarray(points, float)[:, 2:], 1)
    annotations[record]["uv_vis"] = np.column_stack([np.asarray(points, float)[:, :2], visibility])
    path.write_bytes(pickle.dumps(annotations, protocol=2))
    return lambda: RHDReader(root, size=32)[0]


def _stb(root, points):
    """At a depth of the focal length a millimetre is a pixel."""
    make_stb(root)
    path = root / "labels" / "B2Counting_BB.mat"
    values = np.full((3, len(points), 3), 822.79041)
    values[:2] = np.asarray(points, float)[:, :2].T[:, :, None] - 300
    savemat(path, {"handPara": values})
    return lambda: STBReader(root, size=32)[0]


def _coco(root, points):
    make_coco(root)
    path = root / "person.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["keypoints"] = [v for row in points for v in row]
    path.write_text(json.dumps(content))
    return lambda: COCOReader(path, root / "pictures", size=32)[0]


def _folder(root, points):
    save(root / "p.png", grey_picture(64, 64))
    whole = [[1, 2, 2]] * 4
    lines = [{"file": "p.png", "keypoints": rows} for rows in (points, whole)]
    (root / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    names = {"name": "four", "keypoints": ["a", "b", "c", "d"]}
    (root / "skeleton.json").write_text(json.dumps(names))
    return lambda: FolderReader(root, size=64)[0]


def _example(root, points):
    features = {"image": encode_image(grey_picture(64, 64), "png"), "id": "p.png", "group": ""}
    data = encode_example(features | {"keypoints": np.ravel(points).astype("f4"), "index": 0})
    return lambda: decode_record(data, 4, "shard: record 0 (p.png)", 64)


FORMATS = {"rhd": _rhd, "stb": _stb, "coco": _coco, "folder": _folder, "example": _example}


def _points(name):
    """Keypoints inside the picture, x and y apart."""
    return [[30 + k % 7, 12 + k // 7, 2] for k in range(COUNTS[name])]


def _with(name, k, row):
    points = _points(name)
    points[k] = row
    return points


@pytest.fixture(params=FORMATS)
def kind(request):
    return request.param


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30, 1e12])
def test_labelled_keypoints_that_are_nowhere(kind, value, tmp_path):
    if kind == "rhd" and not np.isfinite(np.float32(value)):
        value = float("nan")
    with pytest.raises(DataError) as error:
        FORMATS[kind](tmp_path, _with(kind, 1, [value, 12, 2]))()
    assert _named(kind) in str(error.value)
    assert "finite" in str(error.value) or "would be" in str(error.value)


def _named(kind):
    """File and record as an error has to have them."""
    return {
        "rhd": "anno_training.pickle (record 0): uv_vis[1] is",
        "stb": "B2Counting_BB.mat (frame 0): keypoint ",
        "coco": "person.json (annotation 11): keypoint 1 is at",
        "folder": "index.jsonl:1 (record p.png): keypoint 1 is at",
        "example": "record 0 (p.png) ('p.png'): keypoint 1 is at",
    }[kind]


@pytest.mark.parametrize("change", [-1, 1])
def test_missing_and_extra_joints(kind, change, tmp_path):
    points = _points(kind)
    points = points[:-1] if change < 0 else [*points, [1, 1, 2]]
    with pytest.raises(DataError, match="expected") as error:
        FORMATS[kind](tmp_path, points)()
    assert any(word in str(error.value) for word in ("record", "annotation", "handPara"))


@pytest.mark.parametrize("visibility", [3, -1, 0.5, float("nan")])
def test_visibilities_that_are_none(kind, visibility, tmp_path):
    if kind in ("stb", "rhd"):
        pytest.skip("STB has no visibility; RHD's is tested with its reader")
    with pytest.raises(DataError, match=r"keypoint 2 has visibility .*; expected 0 \(no label\)"):
        FORMATS[kind](tmp_path, _with(kind, 2, [20, 12, visibility]))()


def test_anything_goes_where_there_is_no_label(kind, tmp_path):
    if kind in ("stb", "rhd"):
        pytest.skip("these have a label for every joint")
    rows = [[float("nan"), float("inf"), 0], [1e38, -1e38, 0]]
    if kind != "example":  # its numbers are float32
        rows += [[1e300, -1e300, 0], [None, None, 0]]
    for row in rows:
        found = FORMATS[kind](tmp_path, _with(kind, 0, row))().keypoints
        assert not found[0].any()
        assert found[1:, 2].all()


@pytest.mark.parametrize("place", [(-50, 12), (5000, 12), (30, -800000), (12, 30)])
def test_outside_the_picture_is_legal(kind, place, tmp_path):
    """Also `(12, 30)` for `(30, 12)`: x and y exchanged."""
    record = FORMATS[kind](tmp_path, _with(kind, 1, [*place, 2]))()
    assert np.isfinite(record.keypoints).all()
    assert (record.keypoints[:, 2] > 0).all()


def test_far_keypoints_survive_being_prepared(tmp_path):
    """A small box magnifies a far keypoint further still."""
    save(tmp_path / "in" / "p.png", grey_picture(64, 64))
    line = {"file": "p.png", "keypoints": [[1e6, -1e6, 2], [3, 4, 2]], "box": [1, 1, 1, 1]}
    (tmp_path / "in" / "index.jsonl").write_text(json.dumps(line))
    reader = FolderReader(tmp_path / "in", size=256)
    prepare(reader, tmp_path / "out")
    back = PreparedReader(tmp_path / "out")[0].keypoints
    np.testing.assert_array_equal(back, reader[0].keypoints)
    assert np.abs(back).max() > 1e8


@pytest.mark.parametrize("target", ["gaussian", "highly_differentiated"])
def test_outside_the_picture_trains_and_measures_nothing(target):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    keypoints = rng.uniform(2, 28, (4, 3, 3)).astype("float32")
    keypoints[..., 2] = 2
    unlabelled = keypoints.copy()
    unlabelled[:, 1] = 0
    train = _trainer(target)
    loss, kernel = train(images, unlabelled)
    for place in ((-40, 3), (1e6, -1e6), (2.56e8, 2.56e8), (np.nan, 3)):
        outside = keypoints.copy()
        outside[:, 1, :2] = place
        found = train(images, outside)
        assert found[0] == loss
        np.testing.assert_array_equal(found[1], kernel)
    assert train(images, keypoints)[0] != loss
    everything = np.full((4, 3, 3), 1e6, "float32")
    loss, kernel = train(images, everything)
    assert np.isfinite(loss)
    assert np.isfinite(kernel).all()


def _trainer(target):
    """A function from images and keypoints to the loss of a first step and the kernel after it."""
    inputs = keras.Input((32, 32, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(3, 4, 2, padding="same")(inputs))
    model = PairedHeatmapModel(network, target=target, perturbations=None, augmentation=None)
    model.compile(optimizer=keras.optimizers.SGD(0.1), metrics=[KeypointAUC()])
    start = network.get_weights()

    def train(images, keypoints):
        network.set_weights(start)
        logs = model.train_on_batch(images, keypoints, return_dict=True)
        return float(logs["loss"]), np.array(network.weights[0])

    return train


def test_arrays_in_memory_are_checked_too():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    keypoints = np.full((2, 2, 3), 2, "float32")
    KeypointData(images, keypoints, Skeleton.generic(2), ["a", "b"])
    keypoints[1, 0, 1] = np.nan
    with pytest.raises(DataError, match=r"data \(record b\): keypoint 0 is at \[2.0, nan\]"):
        KeypointData(images, keypoints, Skeleton.generic(2), ["a", "b"])
    keypoints[1, 0, 2] = 0
    KeypointData(images, keypoints, Skeleton.generic(2), ["a", "b"])


def _json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_double_ids(tmp_path):
    make_coco(tmp_path)
    path = tmp_path / "person.json"
    _json(path, lambda c: c["images"].append(c["images"][0] | {"file_name": "b.png"}))
    with pytest.raises(DataError, match=r"person.json: two images have the id 7"):
        COCOReader(path, tmp_path / "pictures")
    save(tmp_path / "in" / "a.png", grey_picture(20, 20))
    lines = [{"file": name, "keypoints": [[1, 2]]} for name in ("a.png", "a.png", "a.png#2")]
    (tmp_path / "in" / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(DataError, match=r"in: two records have the id 'a.png#2'"):
        FolderReader(tmp_path / "in")


@pytest.mark.parametrize("name", ["a\nb.png", "a\rb.png", "\ud800.png", "a\0.png", "", "x" * 2000])
def test_ids_that_no_list_of_ids_can_hold(name, tmp_path):
    line = {"file": name, "keypoints": [[1, 2]]}
    (tmp_path / "index.jsonl").write_text(json.dumps(line))
    with pytest.raises(DataError, match=r"index.jsonl:1: file is .*; expected text on one line"):
        FolderReader(tmp_path)
    make_coco(tmp_path)
    _json(tmp_path / "person.json", lambda c: c["images"][0].update(file_name=name))
    if name:
        with pytest.raises(DataError, match=r"an id is .*; expected text on one line"):
            COCOReader(tmp_path / "person.json", tmp_path / "pictures")


@pytest.mark.parametrize("key", [-1, 2.5, "7", (1, 2), None, True, 10**12])
def test_frame_numbers_of_rhd(key, tmp_path):
    make_rhd(tmp_path)
    path = tmp_path / "training" / "anno_training.pickle"
    annotations = pickle.loads(path.read_bytes())
    annotations[key] = annotations.pop(0)
    path.write_bytes(pickle.dumps(annotations))
    with pytest.raises(DataError, match=r"anno_training.pickle: (record|refused)"):
        RHDReader(tmp_path)


def test_what_is_not_read_may_be_anything(tmp_path):
    """RHD's 3-D positions and camera; unknown keys of COCO and of a folder; STB's other labels."""
    make_rhd(tmp_path / "rhd")
    path = tmp_path / "rhd" / "training" / "anno_training.pickle"
    annotations = pickle.loads(path.read_bytes())
    annotations[0].update(xyz=np.full((42, 3), np.nan), K=np.zeros((2, 5)))
    del annotations[2]["K"], annotations[2]["xyz"]
    path.write_bytes(pickle.dumps(annotations))
    assert len(RHDReader(tmp_path / "rhd")) == 3
    make_coco(tmp_path)
    _json(tmp_path / "person.json", lambda c: c["annotations"][0].update(area=None, segmentation=7))
    assert len(COCOReader(tmp_path / "person.json", tmp_path / "pictures")) == 2
    make_stb(tmp_path / "stb")
    path = tmp_path / "stb" / "labels" / "B2Counting_BB.mat"
    savemat(path, {"note": "text", "handPara": loadmat(path)["handPara"], "more": [[np.nan]]})
    assert len(STBReader(tmp_path / "stb")) == 6


def test_the_command_says_it_in_one_line_and_leaves_nothing(tmp_path, capsys):
    make_folder(tmp_path / "mine")
    path = tmp_path / "mine" / "index.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2].replace("40, 20, 2", "NaN, 20, 2")]))
    assert main(["prepare", "folder", str(tmp_path / "mine"), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == (
        f"keras-shr prepare: {path}:3 (record b/2.png): keypoint 0 is at (nan, 20) with visibility "
        "2; expected finite pixels, or visibility 0 for no label\n"
    )
    assert not (tmp_path / "out").exists()


def test_deep_json_is_no_crash(tmp_path):
    deep = "[" * 200_000
    (tmp_path / "index.jsonl").write_text(deep)
    with pytest.raises(DataError, match=r"index.jsonl:1: not a line of JSON"):
        FolderReader(tmp_path)
    (tmp_path / "person.json").write_text('{"images": ' + deep)
    with pytest.raises(DataError, match=r"person.json: not JSON"):
        COCOReader(tmp_path / "person.json", tmp_path)
    make_folder(tmp_path / "mine")
    (tmp_path / "mine" / "skeleton.json").write_text(deep)
    with pytest.raises(DataError, match=r"skeleton.json: not JSON"):
        FolderReader(tmp_path / "mine")
    (tmp_path / "manifest.json").write_text(deep)
    with pytest.raises(DataError, match=r"manifest.json: not JSON"):
        PreparedReader(tmp_path)


def test_records_of_all_formats_load(tmp_path):
    """The sets that the tests above damage are whole."""
    for name, make in FORMATS.items():
        assert make(tmp_path / name, _points(name))().keypoints[:, 2].all()
    make_folder(tmp_path / "mine")
    assert len(load_arrays(FolderReader(tmp_path / "mine"))) == 3
