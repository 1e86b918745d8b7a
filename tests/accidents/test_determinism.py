"""The same seed gives the same numbers, whatever the number of workers and whoever starts it."""

import keras
import numpy as np
import pytest
from command_server import small_network
from real_kills import COMMANDS, Server
from run_snapshot import assert_same, snapshot

from keras_shr.cli import main
from keras_shr.evaluation import runner
from keras_shr.evaluation.predictor import Predictor
from keras_shr.evaluation.protocol import Protocol
from keras_shr.models.backbones import BACKBONES
from keras_shr.perturbations import ALL_PERTURBATIONS, SENSOR_PERTURBATIONS
from keras_shr.training import Config, run, train
from tests.evaluation import evaluation_fakes

BACKEND = keras.config.backend()
EVERY_KIND = (*ALL_PERTURBATIONS, *SENSOR_PERTURBATIONS)


def test_prepare_with_any_number_of_workers(tmp_path):
    found = []
    for workers in (1, 2, 3):
        folder = tmp_path / str(workers)
        arguments = ["prepare", "rendered", "4", str(folder), "--size", "16", "--shards", "4"]
        assert main([*arguments, "--workers", str(workers)]) == 0
        found.append(snapshot(folder))
    assert_same(found[1], found[0])
    assert_same(found[2], found[0])


@pytest.mark.parametrize(
    ("kinds", "workers"),
    [
        (("gaussian_noise", "hot_pixels"), (0, 2)),
        pytest.param(EVERY_KIND, (0, 1, 2, 3), marks=pytest.mark.slow, id="every kind"),
    ],
)
def test_evaluate_with_any_number_of_workers(kinds, workers, tmp_path):
    """The reference's own pictures, a block a worker."""
    data = evaluation_fakes.make_data(20)
    rng = np.random.default_rng(0)
    data.images[:] = np.maximum(data.images, rng.integers(0, 90, data.images.shape))
    protocol, network = Protocol((64, 64), kinds, (3,)), evaluation_fakes.honest_network()
    predictors = {"honest": Predictor("honest", network, protocol, 8)}
    found = []
    for number in workers:
        folder = tmp_path / str(number)
        stores = runner.open_stores({"honest": network}, data, protocol, folder)
        runner.run(predictors, stores, data, protocol, workers=number, progress=False)
        found.append(snapshot(folder))
    for other in found[1:]:
        assert_same(other, found[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("export")])
def test_new_processes_write_the_same(name, tmp_path, monkeypatch):
    """Hash seeds differ, as they do between any two starts of Python."""
    found = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        with Server(BACKEND) as server:
            if name == "evaluate" and not found:
                assert server.command(COMMANDS["fit"], tmp_path) == 0
                (tmp_path / "out").rename(tmp_path / "made")
            assert server.command(COMMANDS[name], tmp_path) == 0
        found.append(snapshot(tmp_path / "out", {"compiled"}))
        (tmp_path / "out").rename(tmp_path / f"first-{seed}")
    assert_same(found[1], found[0])


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow streams TFRecords")
@pytest.mark.parametrize("steps", [None, 4])
def test_a_streamed_run_goes_on_with_the_next_pictures(steps, tmp_path, monkeypatch):
    """An epoch is one pass over 17 records of 20, or ends in the middle of one."""
    prepared = str(tmp_path / "prepared")
    arguments = ["prepare", "rendered", "20", prepared, "--size", "32", "--shards", "7"]
    assert main([*arguments, "--workers", "1"]) == 0
    monkeypatch.setitem(BACKBONES, "mobilenet_v2", small_network)
    monkeypatch.setattr(run, "_STREAM_BYTES", 0)
    config = Config(
        data=prepared,
        image_size=32,
        model={"filters": 8, "perturbations": ["contrast"]},
        batch_size=5,
        epochs=3,
        steps_per_epoch=steps,
    )

    class Stop(Exception):
        pass

    def stop(epoch, logs):
        if epoch == 0:
            raise Stop

    def go_on(folder, callbacks=()):
        keras.utils.clear_session()  # names of layers, which are in files, count anew
        train(config, tmp_path / folder, workers=1, verbose=0, callbacks=callbacks)

    go_on("whole")
    cut = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    with pytest.raises(Stop):
        go_on("parts", [cut])
    go_on("parts")
    assert_same(snapshot(tmp_path / "parts"), snapshot(tmp_path / "whole"))
