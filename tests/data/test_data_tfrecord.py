"""The stream of prepared records into tf.data."""

import numpy as np
import pytest

from keras_shr.data import (
    RHDReader,
    STBReader,
    load_arrays,
    named_data_errors,
    open_data,
    prepare,
    tfrecord_dataset,
)
from keras_shr.errors import DataError, KerasShrError

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def prepared(stb_root, tmp_path):
    reader = STBReader(stb_root, size=32)  # six records
    prepare(reader, tmp_path / "p", shards=3, image_format="png")
    return tmp_path / "p", load_arrays(reader)


def _indices(dataset):
    return [int(r["index"]) for r in dataset.as_numpy_iterator()]


def _damage(folder):
    """Flip a bit in the second record of shard 1 (record 3); its offset."""
    from keras_shr.data.shards import record_offsets

    path = folder / "shard-00001-of-00003.tfrecord"
    offset = record_offsets(path)[1]
    content = bytearray(path.read_bytes())
    content[offset + 60] ^= 1
    path.write_bytes(content)
    return offset


def test_pairs_in_the_readers_order(prepared):
    folder, expected = prepared
    dataset = tfrecord_dataset(folder)
    assert dataset.element_spec == (
        tf.TensorSpec((32, 32, 3), tf.uint8),
        tf.TensorSpec((21, 3), tf.float32),
    )
    assert int(dataset.cardinality()) == 6
    images, keypoints = map(np.stack, zip(*dataset.as_numpy_iterator(), strict=True))
    np.testing.assert_array_equal(images, expected.images)
    np.testing.assert_array_equal(keypoints, expected.keypoints)


def test_batches_and_dicts(prepared):
    folder, expected = prepared
    batches = list(tfrecord_dataset(folder, 4, elements="dict").as_numpy_iterator())
    assert [b["image"].shape[0] for b in batches] == [4, 2]
    assert [i.decode() for b in batches for i in b["id"]] == expected.ids
    assert [g.decode() for b in batches for g in b["group"]] == expected.groups
    assert len(list(tfrecord_dataset(folder, 4, drop_remainder=True))) == 1


def test_jpeg_is_decoded_as_pillow_does(rhd_root, tmp_path):
    from keras_shr.data import read_tfrecords

    prepare(RHDReader(rhd_root, size=64), tmp_path / "p")
    images = np.stack([i for i, _ in tfrecord_dataset(tmp_path / "p").as_numpy_iterator()])
    difference = images.astype(int) - read_tfrecords(tmp_path / "p").images
    assert np.abs(difference).max() <= 2


def test_shuffled_from_a_seed_and_anew_each_epoch(prepared):
    folder, _ = prepared
    one, two = (tfrecord_dataset(folder, shuffle=True, seed=5, elements="dict") for _ in range(2))
    first, second = _indices(one), _indices(one)
    assert sorted(first) == sorted(second) == list(range(6))
    assert first != second
    assert [_indices(two), _indices(two)] == [first, second]


@pytest.mark.parametrize("shuffle", [False, True])
def test_parts_do_not_overlap(prepared, shuffle):
    folder, _ = prepared
    parts = [
        tfrecord_dataset(
            folder, shuffle=shuffle, seed=1, shard_index=i, shard_count=4, elements="dict"
        )
        for i in range(4)
    ]
    assert [int(p.cardinality()) for p in parts] == [2, 2, 1, 1]
    assert sorted(i for p in parts for i in _indices(p)) == list(range(6))


@pytest.mark.parametrize("shuffle", [False, True])
def test_each_process_reads_its_own_shards_where_they_suffice(prepared, shuffle):
    folder, _ = prepared
    for i in range(3):
        part = tfrecord_dataset(
            folder, shuffle=shuffle, seed=1, shard_index=i, shard_count=3, elements="dict"
        )
        assert sorted(_indices(part)) == [2 * i, 2 * i + 1]
    whole = tfrecord_dataset(
        folder, shuffle=True, seed=1, repeat=True, shard_index=1, shard_count=3, elements="dict"
    )
    rest = tfrecord_dataset(
        folder,
        shuffle=True,
        seed=1,
        repeat=True,
        shard_index=1,
        shard_count=3,
        elements="dict",
        first_record=3,
    )
    assert _indices(rest.take(5)) == _indices(whole.take(8))[3:]


def test_repeat(prepared):
    folder, _ = prepared
    dataset = tfrecord_dataset(folder, repeat=True, elements="dict")
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert _indices(dataset.take(9)) == [0, 1, 2, 3, 4, 5, 0, 1, 2]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_resumed_stream_goes_on_where_it_was(prepared, shuffle):
    """As the n-th pass has one order, whoever begins with it."""
    folder, _ = prepared

    def stream(**options):
        return tfrecord_dataset(
            folder, shuffle=shuffle, seed=3, repeat=True, elements="dict", buffer=4, **options
        )

    whole = _indices(stream().take(30))
    passes = [whole[start : start + 6] for start in range(0, 30, 6)]
    assert all(sorted(one) == list(range(6)) for one in passes)
    assert len({tuple(one) for one in passes}) == (5 if shuffle else 1)
    for behind in (4, 6, 13):
        assert _indices(stream(first_record=behind).take(30 - behind)) == whole[behind:]


def test_damage_is_found_before_training(prepared):
    folder, _ = prepared
    offset = _damage(folder)
    where = rf"shard-00001-of-00003.tfrecord: record 1 at byte {offset} is corrupted"
    with pytest.raises(DataError, match=where):
        tfrecord_dataset(folder)


def test_damage_is_named_in_the_stream(prepared):
    folder, _ = prepared
    dataset = tfrecord_dataset(folder, verify="stream", elements="dict")
    assert _indices(dataset) == list(range(6))
    offset = _damage(folder)
    where = rf"shard-00001-of-00003.tfrecord: record 1 at byte {offset} is corrupted"
    dataset = tfrecord_dataset(folder, verify="stream", elements="dict")
    with pytest.raises(tf.errors.OpError, match=where):
        _indices(dataset)
    with pytest.raises(DataError, match=where), named_data_errors(folder):
        _indices(dataset)


def test_damage_after_the_check_is_named_too(prepared):
    folder, _ = prepared
    dataset = tfrecord_dataset(folder, elements="dict")
    offset = _damage(folder)
    where = rf"shard-00001-of-00003.tfrecord: record 1 at byte {offset} is corrupted"
    with pytest.raises(DataError, match=where), named_data_errors(folder):
        _indices(dataset)


def test_other_errors_pass_through(prepared):
    with pytest.raises(tf.errors.InvalidArgumentError), named_data_errors(prepared[0]):
        tf.reshape(tf.zeros(3), (2, 2))


@pytest.mark.parametrize("verify", ["open", "stream"])
def test_truncated_shard(prepared, verify):
    folder, _ = prepared
    path = folder / "shard-00002-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        DataError, match=r"shard-00002-of-00003.tfrecord: record 1 at byte \d+ is tr"
    ):
        tfrecord_dataset(folder, verify=verify)


def test_arguments(prepared):
    folder, _ = prepared
    for options, message in (
        ({"shard_index": 2, "shard_count": 2}, "shard_index 2 of shard_count 2"),
        ({"shard_index": 0, "shard_count": 7}, "at most the 6 records"),
        ({"elements": "list"}, "elements is 'list'"),
        ({"verify": "never"}, "verify is 'never'"),
        ({"shuffle": True, "shard_count": 2}, "need a seed"),
    ):
        with pytest.raises(KerasShrError, match=message):
            tfrecord_dataset(folder, **options)
    with pytest.raises(DataError, match=r"manifest.json: no such file"):
        tfrecord_dataset(folder.parent)


def test_fit(prepared):
    keras = pytest.importorskip("keras")
    if keras.backend.backend() not in ("tensorflow", "jax"):
        pytest.skip("fit of this backend is not used")
    folder, _ = prepared
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(63)])
    model.add(keras.layers.Reshape((21, 3)))
    model.compile(loss="mse")
    dataset = tfrecord_dataset(folder, 2, shuffle=True, seed=0)
    history = model.fit(dataset, epochs=2, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 2


def test_the_first_shards_alone(tmp_path):
    folder = tmp_path / "p"
    prepare(open_data("rendered:10?size=32"), folder, shards=5)
    dataset = tfrecord_dataset(folder, elements="dict", shards=3)
    assert [int(r["index"]) for r in dataset.as_numpy_iterator()] == list(range(6))
    assert int(dataset.cardinality()) == 6
    with pytest.raises(KerasShrError, match="shards is 0; expected 1 to 5"):
        tfrecord_dataset(folder, shards=0)
