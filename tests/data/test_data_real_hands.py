"""The development photographs through the folder reader."""

import numpy as np
import pytest

from keras_shr.data import FolderReader, load_arrays, open_data

pytestmark = pytest.mark.real_hands


def test_counts_of_every_part(real_hands):
    everything = open_data(real_hands)
    assert len(everything) == len(set(everything.ids)) == 3690
    assert len(FolderReader(real_hands, "val", subset="rooms")) == 92
    assert len(FolderReader(real_hands, "test")) == 348


def test_records(real_hands):
    reader = FolderReader(real_hands, "train", subset=["rooms", "digits"])
    picture = reader[0]
    # The first line of the index; the picture has 256 pixels, so nothing moves.
    np.testing.assert_allclose(picture.keypoints[0], [121.01, 202.79, 2], atol=1e-4)
    assert picture.image.shape == (256, 256, 3)
    assert picture.group == "1528664299.56"
    half = FolderReader(real_hands, "train", subset=["rooms", "digits"], size=128)[0]
    np.testing.assert_allclose(half.keypoints[0, 0], (121.01 + 0.5) / 2 - 0.5, atol=1e-4)
    data = load_arrays(reader, workers=2, limit=200)
    assert len(data) == 200
    assert (data.keypoints[..., 2] == 2).all()  # the index flags them as visible
    assert 40 < data.images.mean() < 220
