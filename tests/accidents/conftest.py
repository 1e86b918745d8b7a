"""What several accidents happen to."""

import pytest

from keras_shr.data import FolderReader, prepare
from tests.small_sets import make_folder


@pytest.fixture
def prepared(tmp_path):
    """A prepared data set `p` of three records in two shards, made from the folder `source`."""
    make_folder(tmp_path / "source")
    prepare(FolderReader(tmp_path / "source", size=16), tmp_path / "p", shards=2)
    return tmp_path / "p"


@pytest.fixture
def stream():
    """Reads all records of a folder through TensorFlow."""
    pytest.importorskip("tensorflow")
    from keras_shr.data import tfrecord_dataset

    return lambda folder: list(tfrecord_dataset(folder))
