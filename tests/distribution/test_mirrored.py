"""Two logical processors under MirroredStrategy train as one device does."""

import json
import os
import runpy
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_shr import _replicas
from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel, default_optimizer
from tests.distribution.train_dots import labelled, network

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
)

CASES = {
    # A last batch of one image leaves the second replica without any.
    "batch normalisation, empty replica": {"images": 9, "epochs": 2, "batch_norm": True},
    "adam, last batch of 5": {"images": 21, "optimizer": "adamw"},
    "loss scaling": {"images": 16, "epochs": 1, "loss_scaling": True},
    "odd batches, no clipping": {"images": 14, "batch": 7, "epochs": 1, "clip": None},
}
QUICK = ("batch normalisation, empty replica",)


def start(settings, output, onednn):
    return subprocess.run(
        [sys.executable, "-m", "tests.distribution.train_dots", str(output), json.dumps(settings)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TF_ENABLE_ONEDNN_OPTS": onednn},
        capture_output=True,
        text=True,
    )


def run(settings, folder):
    """What `train_dots` says to `settings`, by the names in them."""
    output = folder / "results.npz"
    # On some processors oneDNN's convolutions fail on the replica without images.
    done = start(settings, output, onednn="0")
    assert done.returncode == 0, done.stderr[-3000:]
    found = {name: {} for name in settings}
    with np.load(output) as results:
        for key in results:
            name, value = key.split("/")
            found[name][value] = results[key]
    return found


@pytest.mark.parametrize(
    "names", [QUICK, pytest.param(tuple(CASES)[1:], marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_two_replicas_train_as_one(names, tmp_path):
    settings = {}
    for name in names:
        settings[f"{name} (one)"] = CASES[name]
        settings[f"{name} (two)"] = CASES[name] | {"strategy": "mirrored"}
    found = run(settings, tmp_path)
    for name in names:
        one, two = found[f"{name} (one)"], found[f"{name} (two)"]
        assert one.keys() == two.keys()
        for key in one:
            np.testing.assert_allclose(
                two[key], one[key], rtol=2e-5, atol=2e-5, err_msg=f"{name}: {key}"
            )


def test_an_empty_replica_trains_or_is_refused_in_one_line(tmp_path):
    """With oneDNN it is this machine that decides which."""
    settings = {"two": {"images": 9, "epochs": 1, "strategy": "mirrored"}}
    done = start(settings, tmp_path / "results.npz", onednn="1")
    if done.returncode:
        assert done.stderr.splitlines()[-1] == (
            "keras_shr.errors.KerasShrError: batches of 8 of 9 images leave 1 for the last one and "
            "a device without any, which TensorFlow's oneDNN convolutions on this CPU cannot take; "
            "choose another batch_size, or start Python with TF_ENABLE_ONEDNN_OPTS=0"
        )


@pytest.mark.parametrize(
    ("images", "batch", "replicas", "fails"),
    [
        (8, 8, 2, False),
        (9, 8, 2, True),
        (12, 8, 2, True),
        (13, 8, 2, False),
        (33, None, 2, True),
        (6, 8, 4, True),
        (7, 8, 4, False),
        (24, 8, 4, False),
        (9, 8, 1, False),
    ],
)
def test_batches_that_leave_a_replica_empty(monkeypatch, images, batch, replicas, fails):
    """A full batch of 8 is 4 + 4, and one of 4 is 4 + 0."""
    extended = SimpleNamespace(worker_devices=["/device:CPU:0"])
    strategy = SimpleNamespace(num_replicas_in_sync=replicas, extended=extended)
    monkeypatch.setattr(_replicas, "_convolves_nothing", lambda: False)
    with pytest.raises(KerasShrError, match="without any") if fails else nullcontext():
        _replicas.check_last_batch(strategy, images, batch)
    extended.worker_devices = ["/device:GPU:0"]
    _replicas.check_last_batch(strategy, images, batch)


def test_what_fit_holds_out_has_a_last_batch_too(monkeypatch):
    seen = []
    monkeypatch.setattr(_replicas, "check_last_batch", lambda _, *found: seen.append(found))
    model = PairedHeatmapModel(network())
    model.compile()
    images, keypoints = labelled(9)
    model.fit(images, keypoints, batch_size=4, validation_split=0.4, verbose=0)
    assert seen == [(5, 4), (4, 4)]
    seen.clear()
    validation = {"validation_data": (images, keypoints), "validation_batch_size": 3}
    model.fit(images, keypoints, batch_size=4, steps_per_epoch=1, verbose=0, **validation)
    assert (9, 4) not in seen
    assert seen.count((9, 3)) == 1
    seen.clear()
    model.predict(images, 2, verbose=0)
    model.evaluate(images, keypoints, batch_size=5, verbose=0)
    assert seen == [(9, 2), (9, 5)]


@pytest.mark.parametrize(
    ("version", "affected"),
    [("3.10.0", True), ("3.15.1", True), ("3.16.0", False), ("4.0.0.dev1", False)],
)
def test_which_keras_needs_help(monkeypatch, version, affected):
    monkeypatch.setattr(keras, "__version__", version)
    found = runpy.run_path(_replicas.__file__)
    assert found["KERAS_CANNOT_BUILD_FROM_REPLICAS"] == affected
    assert found["KERAS_CANNOT_REDUCE_SCALARS"] == affected


@pytest.mark.parametrize("affected", [True, False])
def test_a_newer_keras_is_left_alone(monkeypatch, affected):
    """What it does itself is neither replaced nor given other values."""
    monkeypatch.setattr(_replicas, "KERAS_CANNOT_BUILD_FROM_REPLICAS", affected)
    monkeypatch.setattr(_replicas, "KERAS_CANNOT_REDUCE_SCALARS", affected)
    model, seen = PairedHeatmapModel(network()), []
    monkeypatch.setattr(keras.Model, "_maybe_symbolic_build", lambda _, *given: seen.append(given))
    iterator = object()
    model._maybe_symbolic_build(iterator=iterator)
    assert seen == [(None if affected else iterator, None)]
    extended = SimpleNamespace(_in_multi_worker_mode=lambda: True)
    context = SimpleNamespace(strategy=SimpleNamespace(extended=extended))
    monkeypatch.setattr(_replicas, "replica_context", lambda: context)
    found = _replicas.vectors_over_workers({"loss": keras.ops.convert_to_tensor(2.0)})
    assert found["loss"].shape == ((1,) if affected else ())


def test_accumulation_is_refused():
    """Keras fails in the first step with an error about merge_call."""
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = PairedHeatmapModel(network())
        with pytest.raises(KerasShrError, match="cannot accumulate"):
            model.compile(default_optimizer(accumulate=2))
