"""Streaming, resuming and the worker processes."""

import signal
from functools import cache

import evaluation_fakes as fakes
import numpy as np
import pytest

from keras_shr.data.records import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.evaluation import perturber, runner
from keras_shr.evaluation.predictor import Predictor
from keras_shr.evaluation.protocol import Protocol, model_fingerprint
from keras_shr.evaluation.store import Store, folder_names
from keras_shr.skeletons import Skeleton

PROTOCOL = Protocol((64, 64), ("brightness", "spatter"), (1, 2))


def test_a_negative_seed_is_refused():
    with pytest.raises(KerasShrError, match="seed is -1; it must be 0 or more"):
        Protocol((64, 64), PROTOCOL.perturbations, (1,), seed=-1)


@pytest.fixture(autouse=True)
def random_shifts(monkeypatch):
    monkeypatch.setattr(perturber, "REFERENCE", fakes.RANDOM_SHIFTS)


@cache
def honest_predictor(protocol, batch_size):
    """Compiled once for all tests."""
    return Predictor("honest", fakes.honest_network(), protocol, batch_size)


def predict(
    folder,
    data,
    models=None,
    protocol=PROTOCOL,
    resume=True,
    overwrite=False,
    batch_size=8,
    **changes,
):
    if models is None:
        predictors = {"honest": honest_predictor(protocol, batch_size)}
        models = {"honest": predictors["honest"].network}
    else:
        predictors = {n: Predictor(n, model, protocol, batch_size) for n, model in models.items()}
    stores = runner.open_stores(models, data, protocol, folder, resume, overwrite)
    runner.run(predictors, stores, data, protocol, **{"workers": 0, "progress": False} | changes)
    return {name: store.read() for name, store in stores.items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)


def test_workers_batches_and_order_do_not_matter(tmp_path):
    data = fakes.make_data(40)
    expected = predict(tmp_path / "here", data)["honest"]
    assert expected["perturbed_argmax"].shape == (4, 40, 3, 2)
    moved = expected["perturbed_argmax"] - expected["argmax"]
    assert len(np.unique(moved[..., 0])) > 5  # the seeds do differ between pictures
    assert_same(expected, predict(tmp_path / "two", data, workers=2)["honest"])
    backwards = data.take(np.arange(40)[::-1])
    found = predict(tmp_path / "back", backwards, workers=1, batch_size=7)["honest"]
    np.testing.assert_array_equal(found["perturbed_argmax"][:, ::-1], expected["perturbed_argmax"])
    np.testing.assert_array_equal(found["score"][::-1], expected["score"])


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    data = fakes.make_data(70)
    expected = predict(tmp_path / "whole", data)["honest"]

    def stop(done, total, seconds, text):
        assert total == 70 * 4
        if done > 32 * 4 + 10:
            raise KeyboardInterrupt

    folder = tmp_path / "cut"
    monkeypatch.setattr(runner, "Progress", Impatient)
    with pytest.raises(KeyboardInterrupt):
        predict(folder, data, progress=stop, workers=1)
    chunks = sorted((folder / "honest").glob("chunk_*.npz"))
    assert [path.name for path in chunks] == ["chunk_000000.npz"]
    written = chunks[0].stat().st_mtime_ns
    assert_same(expected, predict(folder, data)["honest"])
    assert chunks[0].stat().st_mtime_ns == written


def test_ctrl_c_is_the_parent_s_business(capfd):
    """A terminal sends it to the workers too, whose tracebacks would bury the parent's line."""
    pictures = np.zeros((1, 8, 8, 3), np.uint8)
    # Where the tests run in the background, a shell has had the signal ignored already.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with perturber.Perturber(1, fakes.RANDOM_SHIFTS) as one:
        expected = one.perturb("brightness", 1, pictures, [0])  # which starts the worker
        signal.signal(signal.SIGINT, before)
        (process,) = one._processes
        process.send_signal(signal.SIGINT)
        np.testing.assert_array_equal(one.perturb("brightness", 1, pictures, [0]), expected)
    assert "Traceback" not in capfd.readouterr().err


class Impatient:
    """Progress that reports every step."""

    def __init__(self, total, show, done=0):
        self.total, self.show, self.done = total, show, done

    def advance(self, steps, text=""):
        self.done += steps
        if self.show:
            self.show(self.done, self.total, 0, text)


def test_a_model_can_be_added_later(tmp_path):
    data = fakes.make_data(3)
    first = predict(tmp_path, data)["honest"]
    path = tmp_path / "honest" / "chunk_000000.npz"
    written = path.stat().st_mtime_ns
    models = {"honest": fakes.honest_network(), "stubborn": fakes.stubborn_network()}
    both = predict(tmp_path, data, models)
    assert path.stat().st_mtime_ns == written
    assert_same(first, both["honest"])
    assert (both["stubborn"]["argmax"] == 63).all()


def test_other_predictions_are_not_mixed_in(tmp_path):
    data = fakes.make_data(3)
    predict(tmp_path, data)
    for changes, message in (
        ({"models": {"honest": fakes.honest_network(0.5)}}, "another network or other weights"),
        ({"data": fakes.make_data(3, seed=1)}, "other images"),
        ({"data": fakes.make_data(4)}, "other images"),
        ({"protocol": Protocol((64, 64), ("brightness",), (1, 2))}, r"perturbations \["),
        (
            {"protocol": Protocol((64, 64), PROTOCOL.perturbations, (1, 2), seed=5)},
            "seed 0 instead",
        ),
        ({"resume": False}, "an earlier run"),
    ):
        with pytest.raises(KerasShrError, match=message):
            predict(**{"folder": tmp_path, "data": data} | changes)
    new = predict(tmp_path, fakes.make_data(2, seed=1), overwrite=True)["honest"]
    assert len(new["argmax"]) == 2


def test_only_what_differs_is_said(tmp_path):
    data = fakes.make_data(3)
    predict(tmp_path, data)
    with pytest.raises(KerasShrError, match="holds predictions of other images: choose another"):
        predict(tmp_path, fakes.make_data(4))


@pytest.mark.parametrize("content", ["", '{"model": "1', "{}", "[]", '{"model": "1", "data": 5}'])
def test_a_damaged_manifest_is_named(tmp_path, content):
    """Its chunks are not told to be another network's."""
    data = fakes.make_data(3)
    expected = predict(tmp_path, data)["honest"]
    path = tmp_path / "honest" / "manifest.json"
    path.write_text(content)
    with pytest.raises(KerasShrError, match=rf"^{path}: .*; remove the file to start over$"):
        predict(tmp_path, data)
    path.unlink()
    assert_same(expected, predict(tmp_path, data)["honest"])


def test_an_evaluation_that_predicted_nothing_does_not_keep_its_folder(tmp_path):
    data = fakes.make_data(3)
    other = KeypointData(data.images[:, ::-1], data.keypoints[:, :1], Skeleton.generic(1))
    with pytest.raises(KerasShrError, match=r"answers 3 keypoints, but data .* has 1"):
        predict(tmp_path, other)
    assert len(predict(tmp_path, data)["honest"]["argmax"]) == 3


def test_labels_may_be_mended_without_predicting_again(tmp_path):
    data = fakes.make_data(3)
    predict(tmp_path, data)
    data.keypoints[:] += 1
    predict(tmp_path, data)


def test_a_broken_chunk_is_named(tmp_path):
    data = fakes.make_data(3)
    predict(tmp_path, data)
    path = tmp_path / "honest" / "chunk_000000.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(KerasShrError, match=r"chunk_000000\.npz cannot be read.*delete it"):
        predict(tmp_path, data)


def test_fingerprint_follows_weights_and_architecture():
    import keras

    def network(scale=1.0, activation=None):
        inputs = keras.Input((32, 32, 3))
        layer = keras.layers.Conv2D(2, 1, kernel_initializer="ones", activation=activation)
        model = keras.Model(inputs, layer(inputs))
        for weight in layer.weights:
            weight.assign(scale * weight)
        return model

    same = model_fingerprint(network())
    assert model_fingerprint(network()) == same  # layers are numbered anew
    assert model_fingerprint(network(1.5)) != same
    assert model_fingerprint(network(activation="relu")) != same


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_give_the_references_picture_and_never_load_keras(workers):
    from keras_shr.perturbations import reference

    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    here, there = "keras_shr.perturbations.reference:perturb", ":reference_without_keras"
    source = fakes.SHIFTS.replace(":shift", there) if workers else here
    with perturber.Perturber(workers, source) as pool:
        for kind in ("gaussian_noise", "jpeg_compression"):
            expected = reference.perturb(image[0], kind, 3, 17)
            np.testing.assert_array_equal(pool.perturb(kind, 3, image, [17])[0], expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failing_perturbation_is_named(workers):
    source = fakes.SHIFTS.replace(":shift", ":failing")
    with (
        perturber.Perturber(workers, source) as pool,
        pytest.raises(KerasShrError, match=r"'snow' of severity 2 failed: RuntimeError: no snow"),
    ):
        pool.perturb("snow", 2, np.zeros((1, 32, 32, 3), np.uint8), [0])


def test_a_dead_worker_is_reported():
    source = fakes.SHIFTS.replace(":shift", ":dies")
    with (
        perturber.Perturber(1, source) as pool,
        pytest.raises(KerasShrError, match=r"ended by itself \(exit code 3\)"),
    ):
        pool.perturb("snow", 2, np.zeros((1, 32, 32, 3), np.uint8), [0])
    with (
        perturber.Perturber(1, "no_such_module:perturb") as pool,
        pytest.raises(KerasShrError, match="cannot import no_such_module"),
    ):
        pool.perturb("snow", 2, np.zeros((1, 32, 32, 3), np.uint8), [0])


def test_folder_names():
    assert folder_names(["a/b", "ours (3)"]) == {"a/b": "a_b", "ours (3)": "ours_3_"}
    with pytest.raises(KerasShrError, match="must differ"):
        folder_names(["a/b", "a b"])


def test_leftovers_without_a_manifest_are_not_used(tmp_path):
    (tmp_path / "chunk_000000.npz").write_bytes(b"")
    store = Store(tmp_path, "m", {"model": "1", "images": 3, "protocol": {}})
    assert store.missing() == [0]
