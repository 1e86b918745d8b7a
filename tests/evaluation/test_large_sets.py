"""Sets that are larger than the memory: the same figures, from pictures that are read again."""

import tracemalloc

import evaluation_fakes as fakes
import numpy as np
import pytest

from keras_shr import data as data_package
from keras_shr import evaluation
from keras_shr.cli import main
from keras_shr.data import Reader, ReaderImages, Record, load_arrays
from keras_shr.evaluation import evaluate, perturber, store
from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.evaluation.protocol import Protocol
from keras_shr.evaluation.scores import measure
from keras_shr.evaluation.store import Store

PROTOCOL = Protocol((64, 64), ("brightness", "spatter"), (1, 3))


class FakeReader(Reader):
    """Made pictures as records; counts how often each is read."""

    kind = "fake"

    def __init__(self, data):
        super().__init__(data.name, data.skeleton, fakes.SIZE, data.ids)
        self.data, self.reads = data, 0

    def _read(self, index):
        self.reads += 1
        values = (self.data.images, self.data.keypoints, self.data.ids, self.data.groups)
        return Record(*(value[index] for value in values))


def answers(count, conditions=4, keypoints=3, seed=0):
    rng = np.random.default_rng(seed)

    def points(*shape):
        return rng.integers(0, 64, (*shape, keypoints, 2)).astype("float32")

    clean = {"argmax": points(count), "subpixel": points(count)}
    clean |= {key: rng.random((count, keypoints)) for key in ("score", "peak_spread", "peak_gap")}
    found = {f"perturbed_{key}": points(conditions, count) for key in ("argmax", "subpixel")}
    found["perturbed_score"] = rng.random((conditions, count, keypoints))
    return clean | found | {"theorem3": found["perturbed_score"] < 0.5}


def part_of(found, images):
    return {k: v[:, images] if len(v) == 4 else v[images] for k, v in found.items()}


def test_blocks_give_the_figures_of_the_whole():
    data = fakes.make_data(20, groups=[f"g{i % 7}" for i in range(20)])
    data.keypoints[::3, 1, 2] = 0
    found, bootstrap = answers(20), Bootstrap(data.groups, 0, 50)
    whole = measure("m", [found], data, PROTOCOL, bootstrap)
    blocks = [part_of(found, slice(*ends)) for ends in ((0, 7), (7, 8), (8, 20))]
    parts = measure("m", blocks, data, PROTOCOL, bootstrap)
    assert len(whole.rows) == len(parts.rows) > 100
    for rows in zip(whole.rows, parts.rows, strict=True):
        one, other = map(dict, rows)
        numbers = [[row.pop(key) for key in ("value", "low", "high")] for row in (one, other)]
        assert other == one
        np.testing.assert_allclose(*numbers, rtol=1e-12)
    assert whole.draws.keys() == parts.draws.keys()
    for key, draws in whole.draws.items():
        np.testing.assert_allclose(parts.draws[key], draws, rtol=1e-12)
        metric, group, kind, decoding = key
        row = whole.value(metric, group, decoding, kind)
        ends = np.percentile(draws, (2.5, 97.5))
        np.testing.assert_allclose(ends, (row["low"], row["high"]), rtol=1e-12)
    assert {kind for _, _, kind, _ in whole.draws} == {"", "brightness", "spatter"}
    np.testing.assert_array_equal(parts.moved, whole.moved)
    assert parts.variety == whole.variety


def test_a_draw_at_a_time_is_what_all_at_once_would_be():
    groups = [f"g{i % 9}" for i in range(30)]
    times = np.random.default_rng(3).multinomial(9, np.full(9, 1 / 9), size=40)
    names, index = np.unique(groups, return_inverse=True)
    assert len(names) == 9
    weights = Bootstrap(groups, 3, 40).weights(slice(4, 21))
    np.testing.assert_array_equal(weights, times[:, index[4:21]])


def test_scoring_needs_little_memory_for_an_image():
    """A byte for each of 400 draws, and some for labels; all at once a condition takes 1 kB."""
    protocol = Protocol((64, 64), ("brightness", "spatter"), (1, 2, 3, 4, 5))
    block = answers(64, conditions=10)

    def peak(count):
        data = fakes.make_data(count)
        blocks = (block for _ in range(count // 64))
        tracemalloc.start()
        measure("m", blocks, data, protocol, Bootstrap(data.groups, 0, 400))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few, many = peak(128), peak(384)
    assert (many - few) / 256 < 1500


def test_a_store_reads_parts_and_blocks(tmp_path, monkeypatch):
    count = 80  # chunks of 32, 32 and 16
    found = answers(count)
    kept = Store(tmp_path / "m", "m", {"images": count})
    for start in kept.missing():
        kept.write(start, part_of(found, slice(start, start + store.CHUNK)))
    for ends in ((0, 80), (0, 32), (31, 33), (40, 41), (64, 80)):
        for key, value in kept.read(*ends).items():
            expected = part_of(found, slice(*ends))[key]
            np.testing.assert_array_equal(value, expected, err_msg=f"{key} {ends}")
    monkeypatch.setattr(store, "_BLOCK", 64)
    assert [len(block["argmax"]) for block in kept.blocks()] == [64, 16]


def test_images_of_a_reader_are_indexed_like_an_array():
    data = fakes.make_data(7)
    images = load_arrays(FakeReader(data), limit=6, memory=0).images
    assert isinstance(images, ReaderImages)
    assert (images.shape, len(images)) == ((6, 64, 64, 3), 6)
    for index in (slice(2, 5), slice(4, 99), slice(6, 9), [5, 0], np.array([3]), 2, -1):
        np.testing.assert_array_equal(images[index], data.images[:6][index])
    with pytest.raises(IndexError):
        images[6]
    np.testing.assert_array_equal(np.stack(list(images)), data.images[:6])


@pytest.mark.parametrize("spare", [0, -1])
def test_images_are_kept_up_to_the_limit_and_not_beyond(spare):
    reader = FakeReader(fakes.make_data(3))
    found = load_arrays(reader, memory=3 * 64 * 64 * 3 + spare).images
    assert isinstance(found, np.ndarray) == (spare == 0)


def test_an_evaluation_that_reads_again_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(perturber, "REFERENCE", fakes.RANDOM_SHIFTS)
    reader = FakeReader(fakes.make_data(40))
    models = {"honest": fakes.honest_network()}
    options = {"workers": 0, "progress": False, "draws": 20, "examples": 1}
    for name, memory in (("kept", None), ("again", 0)):
        reader.reads = 0
        data = load_arrays(reader, memory=memory)
        evaluate(models, data, tmp_path / name, ("brightness",), (1,), **options)
        assert (reader.reads > 40) == (name == "again")
    for file in ("scores.csv", "summary.csv"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "kept" / file).read_bytes()
    pictures = [sorted((tmp_path / n / "examples").iterdir()) for n in ("kept", "again")]
    assert [p.read_bytes() for p in pictures[0]] == [p.read_bytes() for p in pictures[1]]


def test_the_command_keeps_no_more_than_the_limit(tmp_path, monkeypatch):
    seen = []

    class Stop(Exception):
        pass

    def fake(models, data, *args, **kwargs):
        seen.append(type(data.images))
        raise Stop

    monkeypatch.setattr(evaluation, "evaluate", fake)
    path = tmp_path / "honest.keras"
    fakes.honest_network().save(path)
    words = ["evaluate", str(path), "rendered:2?seed=1", "--output", str(tmp_path / "report")]
    for limit, expected in ((1e9, np.ndarray), (100, ReaderImages)):
        monkeypatch.setattr(data_package, "MEMORY_BYTES", limit)
        with pytest.raises(Stop):
            main(words)
        assert seen[-1] is expected
