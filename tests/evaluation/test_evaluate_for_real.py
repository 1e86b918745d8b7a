"""The evaluation with the reference perturbations, real photographs and a real kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_shr.data.records import KeypointData
from keras_shr.evaluation import evaluate
from keras_shr.skeletons import HAND_21

ROOT = Path(__file__).resolve().parents[2]
PHOTOGRAPHS = ROOT.parent / "shared" / "real_hands"


def photographs(count):
    if not (PHOTOGRAPHS / "index.jsonl").is_file():
        pytest.skip(f"the development photographs are not at {PHOTOGRAPHS}")
    lines = (PHOTOGRAPHS / "index.jsonl").read_text().splitlines()
    records = [record for record in map(json.loads, lines) if record["split"] == "val"][::20][
        :count
    ]
    images = [
        np.asarray(Image.open(PHOTOGRAPHS / r["file"]).convert("RGB").resize((96, 96)))
        for r in records
    ]
    keypoints = np.array([r["keypoints"] for r in records], np.float32)
    keypoints[..., :2] = (keypoints[..., :2] + 0.5) * 96 / 256 - 0.5
    ids, groups = [r["file"] for r in records], [r["group"] for r in records]
    return KeypointData(np.stack(images), keypoints, HAND_21, ids, groups, "photographs")


def dark_spots():
    """21 blurred views of the picture: not accurate, but it does see what the picture shows."""
    import keras

    inputs = keras.Input((96, 96, 3), dtype="uint8")
    x = keras.layers.Rescaling(-1 / 255, 1.0)(inputs)
    x = keras.layers.AveragePooling2D(4)(x)
    conv = keras.layers.Conv2D(
        21, 5, padding="same", kernel_initializer=keras.initializers.RandomUniform(0, 1, seed=0)
    )
    return keras.Model(inputs, conv(x))


@pytest.mark.slow
@pytest.mark.real_hands
def test_all_fifteen_kinds_on_photographs(tmp_path):
    data = photographs(8)
    report = evaluate({"spots": dark_spots()}, data, tmp_path, workers=2, progress=False, draws=50)
    spots = report.scores[0]
    assert (
        len({(r["kind"], r["severity"]) for r in report.rows if r["kind"] and r["severity"]}) == 75
    )
    assert report.summary[0]["R"] > 0
    # Stronger perturbations move the keypoints more; contrast hardly moves a peak of brightness.
    assert (
        spots.value("R", "all", severity=5)["value"] > spots.value("R", "all", severity=1)["value"]
    )
    assert len(report.examples["spots"]) == 4
    assert report.page.stat().st_size > 100_000


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import evaluation_fakes as fakes
from keras_shr.evaluation import evaluate, perturber
perturber.REFERENCE = fakes.RANDOM_SHIFTS
models, data = {{"honest": fakes.honest_network()}}, fakes.make_data(400)
kinds = ("snow", "spatter")
evaluate(models, data, {output!r}, kinds, workers=1, progress=False, examples=0, draws=20)
"""


@pytest.mark.slow
def test_a_killed_command_goes_on(tmp_path):
    output = tmp_path / "killed"
    script = SCRIPT.format(tests=str(Path(__file__).parent), output=str(output))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    folder = output / "predictions" / "honest"
    while len(list(folder.glob("chunk_*.npz"))) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = len(list(folder.glob("chunk_*.npz")))
    assert 2 <= finished < 13
    assert not (output / "scores.csv").exists()
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    whole = SCRIPT.format(tests=str(Path(__file__).parent), output=str(tmp_path / "whole"))
    subprocess.run([sys.executable, "-c", whole], env=environment, check=True)
    assert (output / "scores.csv").read_bytes() == (tmp_path / "whole/scores.csv").read_bytes()
