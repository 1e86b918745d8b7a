"""`keras-shr fit` and `model.fit` on several devices and in several processes."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.distribution import fit_rendered  # noqa: F401 - its backbone is needed to load models

ROOT = Path(__file__).resolve().parents[2]
BACKEND = keras.backend.backend()
pytestmark = pytest.mark.slow
TWO_DEVICES = {"LOGICAL": "1", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
tensorflow_only = pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute")


def launch(program, *words, **environment):
    """One process of a program of this folder."""
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.distribution.{program}", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start(output, strategy, *settings, **environment):
    """One process of `fit_rendered`."""
    return launch("fit_rendered", output, strategy, *settings, **environment)


def finish(*processes):
    for process in processes:
        output, _ = process.communicate(timeout=400)
        assert process.returncode == 0, output[-3000:]


def two_machines():
    """What TF_CONFIG says on each of them."""
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in (first, second)]
    return [
        json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}})
        for index in (0, 1)
    ]


def two_workers(output, *settings, **environment):
    """Both processes of a run of two machines."""
    return [
        start(output, "auto", *settings, TF_CONFIG=configuration, **environment)
        for configuration in two_machines()
    ]


def history(folder):
    """`history.csv` as numbers, without the times."""
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: [float(row[key]) for row in rows] for key in rows[0] if key != "seconds"}


def assert_same(folder, expected):
    found, wanted = history(folder), history(expected)
    assert found.keys() == wanted.keys()
    for key in wanted:
        tolerance = 2e-2 if key == "val_R" else 2e-4  # one keypoint may jump by a pixel
        np.testing.assert_allclose(found[key], wanted[key], rtol=tolerance, atol=1e-4, err_msg=key)
    models = [keras.saving.load_model(each / "model.keras") for each in (folder, expected)]
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def prepared(folder):
    """The hands as TFRecords in four shards."""
    from keras_shr.cli import main

    spec = ["prepare", "rendered", "48", str(folder), "--size", "32", "--shards", "4"]
    assert not main([*spec, "--workers", "1", "--option", "seed=1", "views=front"])
    return f"data={folder}"


def test_several_devices_train_as_one(tmp_path):
    finish(start(tmp_path / "one", "none", "epochs=2"))
    finish(start(tmp_path / "two", "mirrored", "epochs=2", **TWO_DEVICES))
    assert_same(tmp_path / "two", tmp_path / "one")
    finish(*two_workers(tmp_path / "three", "epochs=2"))
    assert_same(tmp_path / "three", tmp_path / "one")
    finish(*two_workers(tmp_path / "four", "epochs=2", **TWO_DEVICES))
    assert_same(tmp_path / "four", tmp_path / "one")


def test_a_killed_worker_comes_back(tmp_path):
    """Two processes, one of them killed: the other says so; both again end as one device does."""
    length = "epochs=5", "steps_per_epoch=20"
    workers = two_workers(tmp_path / "two", *length)
    backup = tmp_path / "two" / "backup" / "backup.json"
    while not backup.exists() and workers[0].poll() is None:
        time.sleep(0.2)
    workers[1].kill()
    workers[1].communicate()
    output, _ = workers[0].communicate(timeout=300)
    assert workers[0].returncode not in (0, None)
    lines = output.splitlines()
    if BACKEND == "jax":  # which ends with an abort of its own
        lines = [line for line in lines if line.startswith("keras-shr fit")]
    assert "another worker is gone; start this command again" in lines[-1], output
    assert json.loads(backup.read_text())["epoch"] < 5
    finish(*two_workers(tmp_path / "two", *length))
    finish(start(tmp_path / "whole", "none", *length))
    assert_same(tmp_path / "two", tmp_path / "whole")


@tensorflow_only
def test_streamed_records_on_two_workers(tmp_path):
    """Each worker reads its own shards, also when the run goes on."""
    data = prepared(tmp_path / "data")
    finish(*two_workers(tmp_path / "run", data, "epochs=1", STREAM="1"))
    finish(*two_workers(tmp_path / "run", data, "epochs=2", STREAM="1"))
    assert history(tmp_path / "run")["epoch"] == [1, 2]


@tensorflow_only
def test_arrays_with_a_short_last_batch_on_two_workers(tmp_path):
    """`model.fit` and `evaluate` in a script of one's own; the second worker gets none of the
    ninth image. Both shuffle alike, as they have the same global seed."""
    case = {"images": 9, "batch": 8, "batch_norm": True, "shuffle": True}
    settings = json.dumps({"run": case | {"strategy": "multiworker"}})
    # On some processors oneDNN's convolutions fail on no images.
    options = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    paths = [tmp_path / f"{index}.npz" for index in (0, 1)]
    finish(
        *(
            launch("train_dots", path, settings, TF_CONFIG=configuration, **options)
            for path, configuration in zip(paths, two_machines(), strict=True)
        )
    )
    finish(launch("train_dots", tmp_path / "one.npz", json.dumps({"run": case}), **options))
    one = np.load(tmp_path / "one.npz")
    for path in paths:
        found = np.load(path)
        assert set(found) == set(one)
        assert {"run/loss", "run/stability", "run/auc", "run/val_loss"} < set(one)
        for key in one:
            np.testing.assert_allclose(found[key], one[key], rtol=2e-5, atol=2e-5, err_msg=key)
