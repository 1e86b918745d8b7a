"""Whole runs; each traces a MobileNetV2, so they are slow."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_shr.cli import main
from keras_shr.data import open_data
from keras_shr.errors import KerasShrError
from keras_shr.training import Config, run, train
from keras_shr.training.holding_out import hold_out_shards

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*copy keyword.*:DeprecationWarning"),
]
SMALL = {
    "data": "rendered:24?seed=1",
    "validation": "rendered:8?seed=1&split=val",
    "image_size": 32,
    "model": {"alpha": 0.35, "filters": 8, "perturbations": ["contrast"]},
    "batch_size": 8,
    "epochs": 3,
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    train(Config(**SMALL), folder, workers=1, verbose=0)
    return folder


def weights(path):
    return keras.saving.load_model(path, compile=False).get_weights()


def test_a_run_leaves_what_it_promises(undisturbed):
    names = {p.name for p in undisturbed.iterdir()}
    assert {"config.json", "history.csv", "best.keras", "model.keras", "pictures"} <= names
    assert len((undisturbed / "history.csv").read_text().splitlines()) == 4


def test_another_configuration_is_refused(undisturbed):
    with pytest.raises(KerasShrError, match="seed=0"):
        train(Config(**SMALL, seed=1), undisturbed)


def test_a_failed_start_leaves_nothing(tmp_path):
    with pytest.raises(KerasShrError):
        train(Config(**SMALL | {"data": str(tmp_path / "nowhere")}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sigkill_and_the_same_command_give_the_undisturbed_result(undisturbed, tmp_path):
    settings = [f"{k}={v!r}" for k, v in SMALL.items() if k != "data"]
    command = [sys.executable, "-m", "keras_shr.cli", "fit", "--data", SMALL["data"], "--workers"]
    command += ["1", "--output", str(tmp_path / "run"), "--set", *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
    backup = tmp_path / "run" / "backup" / "backup.json"
    while process.poll() is None and not backup.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads(backup.read_text())["epoch"] < 3
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    for ours, theirs in zip(
        weights(tmp_path / "run" / "model.keras"), weights(undisturbed / "model.keras"), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_fit_on_a_prepared_folder_and_evaluate(tmp_path, capsys):
    prepared = str(tmp_path / "prepared")
    assert main(["prepare", "rendered", "16", prepared, "--size", "32", "--workers", "1"]) == 0
    settings = [f"{k}={v!r}" for k, v in (SMALL | {"epochs": 1}).items() if k != "data"]
    folder = str(tmp_path / "run")
    assert main(["fit", "--data", prepared, "--output", folder, "--set", *settings]) == 0
    report = str(tmp_path / "report")
    arguments = ["evaluate", f"{folder}/model.keras", prepared, "--output", report, "--limit", "4"]
    assert main([*arguments, "--kinds", "jpeg_compression", "--severities", "1,5"]) == 0
    assert (tmp_path / "report" / "report.html").exists()
    assert "run" in capsys.readouterr().out


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow streams TFRecords")
def test_large_prepared_data_are_streamed_and_shards_held_out(tmp_path, monkeypatch):
    prepared = str(tmp_path / "prepared")
    arguments = ["prepare", "rendered", "24", prepared, "--size", "32", "--workers", "1"]
    assert main([*arguments, "--shards", "6"]) == 0
    monkeypatch.setattr(run, "_STREAM_BYTES", 0)
    seen = []
    stream = run.tfrecord_dataset
    monkeypatch.setattr(
        run, "tfrecord_dataset", lambda *a, **k: seen.append(k["shards"]) or stream(*a, **k)
    )
    config = Config(**SMALL | {"data": prepared, "validation": None, "epochs": 1})
    train(config, tmp_path / "run", workers=1, verbose=0)
    assert seen == [5]  # a tenth of 24 is less than one shard of 4
    history = (tmp_path / "run" / "history.csv").read_text()
    assert "val_auc_clean" in history


def test_the_last_shards_are_held_out_as_far_as_needed(tmp_path):
    prepared = str(tmp_path / "prepared")
    arguments = ["prepare", "rendered", "12", prepared, "--size", "32", "--workers", "1"]
    assert main([*arguments, "--shards", "4"]) == 0
    reader = open_data(prepared)
    shards, held = hold_out_shards(reader, Config(validation_share=0.3), 1)
    assert (shards, held.ids) == (2, reader.ids[6:])
    with pytest.raises(KerasShrError, match="4 shards are too few to hold one out"):
        hold_out_shards(reader, Config(validation_share=0.9), 1)
