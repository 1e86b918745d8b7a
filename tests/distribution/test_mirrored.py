"""Two logical processors under MirroredStrategy train as one device does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel, default_optimizer
from tests.distribution.train_dots import network

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


def run(settings, folder):
    """What `train_dots` says to `settings`, by the names in them."""
    output = folder / "results.npz"
    done = subprocess.run(
        [sys.executable, "-m", "tests.distribution.train_dots", str(output), json.dumps(settings)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
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


def test_accumulation_is_refused():
    """Keras fails in the first step with an error about merge_call."""
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = PairedHeatmapModel(network())
        with pytest.raises(KerasShrError, match="cannot accumulate"):
            model.compile(default_optimizer(accumulate=2))
