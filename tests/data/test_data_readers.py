"""What every reader promises. A new reader is one more line in CASES."""

import pickle

import numpy as np
import pytest

from keras_shr.data import (
    COCOReader,
    FolderReader,
    KeypointData,
    PreparedReader,
    RenderedReader,
    RHDReader,
    STBReader,
    load_arrays,
    prepare,
)
from keras_shr.errors import DataError
from keras_shr.skeletons import Skeleton
from tests.small_sets import red_centre

INDEX_TIP = 8


def _prepared(request, **options):
    output = request.getfixturevalue("tmp_path") / "prepared"
    prepare(RHDReader(request.getfixturevalue("rhd_root"), **options), output, image_format="png")
    return PreparedReader(output)


def _rendered(request, **options):
    pytest.importorskip("keras_shr.rendering")
    return RenderedReader(2, seed=1, **options)


# name: how to make the reader, the joint that is marked in record 0, how many records
CASES = {
    "rhd": (lambda r, **o: RHDReader(r.getfixturevalue("rhd_root"), **o), INDEX_TIP, 3),
    "rhd-evaluation": (
        lambda r, **o: RHDReader(r.getfixturevalue("rhd_root"), "evaluation", **o),
        INDEX_TIP,
        1,
    ),
    "stb": (lambda r, **o: STBReader(r.getfixturevalue("stb_root"), **o), INDEX_TIP, 6),
    "stb-test": (
        lambda r, **o: STBReader(r.getfixturevalue("stb_root"), "test", **o),
        INDEX_TIP,
        3,
    ),
    "stb-SK": (
        lambda r, **o: STBReader(r.getfixturevalue("stb_root"), sensor="SK", stride=2, **o),
        INDEX_TIP,
        4,
    ),
    "coco": (
        lambda r, **o: COCOReader(
            r.getfixturevalue("coco_root") / "person.json",
            r.getfixturevalue("coco_root") / "pictures",
            **o,
        ),
        0,
        2,
    ),
    "folder": (lambda r, **o: FolderReader(r.getfixturevalue("folder_root"), **o), 0, 3),
    "folder-wide": (
        lambda r, **o: FolderReader(
            r.getfixturevalue("folder_root"), split="train", groups="2", **o
        ),
        0,
        1,
    ),
    "folder-box": (lambda r, **o: FolderReader(r.getfixturevalue("folder_root"), "val", **o), 0, 1),
    "prepared": (_prepared, INDEX_TIP, 3),
    "rendered": (_rendered, None, 2),
}


@pytest.fixture(params=CASES)
def case(request):
    make, marked, count = CASES[request.param]
    return (lambda **options: make(request, **options)), marked, count


def test_records(case):
    make, _, count = case
    reader = make(size=64)
    assert len(reader) == count == len(list(reader))
    assert len(set(reader.ids)) == count
    assert reader.name
    for record, record_id in zip(reader, reader.ids, strict=True):
        assert record.image.shape == (64, 64, 3)
        assert record.image.dtype == np.uint8
        assert record.keypoints.shape == (len(reader.skeleton), 3)
        assert record.keypoints.dtype == np.float32
        assert np.isfinite(record.keypoints).all()
        assert set(np.unique(record.keypoints[:, 2])) <= {0, 1, 2}
        assert not record.keypoints[record.keypoints[:, 2] == 0].any()
        assert record.id == record_id
        assert isinstance(record.group, str)
    with pytest.raises(IndexError):
        reader[count]
    np.testing.assert_array_equal(reader[-1].image, reader[count - 1].image)


@pytest.mark.parametrize("size", [48, 200])
def test_keypoint_is_where_the_picture_has_it(case, size):
    make, marked, _ = case
    if marked is None:
        pytest.skip("a rendered picture has no mark; its own tests look at it")
    record = make(size=size)[0]
    distance = np.abs(red_centre(record.image) - record.keypoints[marked, :2]).max()
    assert distance < 1


def test_pickled_reader_reads_the_same(case):
    make, _, _ = case
    reader = make(size=32)
    again = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(again[0].image, reader[0].image)
    assert again.describe() == reader.describe()


def test_arrays(case):
    make, _, count = case
    reader = make(size=32)
    seen = []
    data = load_arrays(reader, workers=1, progress=lambda *p: seen.append(p))
    assert seen[-1] == (count, count)
    assert data.ids == reader.ids
    assert data.name == reader.name
    assert data.skeleton == reader.skeleton
    np.testing.assert_array_equal(data.images, [r.image for r in reader])
    np.testing.assert_array_equal(data.keypoints, [r.keypoints for r in reader])
    assert len(load_arrays(reader, limit=1)) == 1


def test_threads_change_nothing(stb_root):
    reader = STBReader(stb_root, size=32)
    one, three = load_arrays(reader), load_arrays(reader, workers=3)
    np.testing.assert_array_equal(one.images, three.images)
    np.testing.assert_array_equal(one.keypoints, three.keypoints)
    assert one.ids == three.ids


def test_arrays_that_are_no_data(tmp_path):
    images, points = np.zeros((2, 8, 8, 3), "uint8"), np.full((2, 3, 3), 2.0)
    skeleton = Skeleton.generic(3)
    data = KeypointData(list(images), points.tolist(), skeleton.to_dict())
    assert (data.images.shape, data.keypoints.shape) == (images.shape, points.shape)
    assert data.skeleton == skeleton
    assert data.take(np.array([False, True])).ids == ["000001"]
    with pytest.raises(DataError, match="lie between 0 and 1; expected x and y in pixels"):
        KeypointData(images, points / [8, 8, 1], skeleton)
    with pytest.raises(DataError, match="skeleton is None"):
        KeypointData(images, points, None)
