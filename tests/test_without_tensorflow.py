"""Everything but TFRecord code runs where TensorFlow cannot be imported."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import importlib.abc
import sys


class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Refuse())
import keras
import numpy as np

assert keras.backend.backend() == "jax"
import keras_shr
import keras_shr.callbacks
import keras_shr.data
import keras_shr.evaluation
import keras_shr.rendering
import keras_shr.training
from keras_shr.models import PairedHeatmapModel

inputs = keras.Input((32, 32, 3))
x = keras.layers.Rescaling(1 / 255)(inputs)
x = keras.layers.Conv2D(4, 5, 4, padding="same", activation="relu")(x)
network = keras.Model(inputs, keras.layers.Conv2D(2, 1)(x))
model = PairedHeatmapModel(network, perturbations=("contrast",), augmentation={"flip": 0.0})
model.compile()
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
keypoints = np.concatenate([rng.uniform(4, 28, (4, 2, 2)), np.full((4, 2, 1), 2)], -1)
history = model.fit(images, keypoints, batch_size=2, epochs=1, verbose=0)
assert np.isfinite(history.history["loss"]).all()
assert int(model.optimizer.iterations) == 2
assert model.predict(images, verbose=0).shape == (4, 8, 8, 2)
assert np.isfinite(model.predict_keypoints(images)).all()
try:
    import tensorflow
except ModuleNotFoundError:
    assert not [name for name in sys.modules if name.split(".")[0] == "tensorflow"]
    print("no tensorflow, no trouble")
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_training_on_jax_without_tensorflow():
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "no tensorflow, no trouble" in done.stdout
