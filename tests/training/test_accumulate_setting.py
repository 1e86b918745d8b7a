"""`accumulate` as a setting of a run."""

import dataclasses
import json

import keras
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel
from keras_shr.skeletons import Skeleton
from keras_shr.training import Config, run, train

SKELETON = Skeleton.generic(21)


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """A network of one convolution in the place of MobileNetV2."""

    def uncompiled(config, skeleton):
        inputs = keras.Input((config.image_size, config.image_size, 3))
        network = keras.Model(inputs, keras.layers.Conv2D(len(skeleton), 3, 4)(inputs))
        return PairedHeatmapModel(network, perturbations=None, stability=None)

    monkeypatch.setattr(run, "_uncompiled", uncompiled)


def test_the_setting_reaches_the_optimizer():
    config = Config(image_size=32).override(["accumulate=4"])
    optimizer = run.build_model(config, SKELETON).optimizer
    assert optimizer.gradient_accumulation_steps == 4
    plain = run.build_model(Config(image_size=32), SKELETON).optimizer
    assert plain.gradient_accumulation_steps is None


def test_a_run_too_short_for_one_update_is_refused(tmp_path):
    config = Config(data="rendered:4?seed=1", image_size=32, batch_size=2, epochs=3, accumulate=5)
    config = dataclasses.replace(config, validation="rendered:1?seed=1&split=val")
    # 4 images are two steps an epoch, six in all.
    with pytest.raises(KerasShrError, match="accumulate is 7, but the whole run has 6 steps"):
        train(dataclasses.replace(config, accumulate=7), tmp_path / "short", workers=1, verbose=0)
    run._check_updates(2, config)


def test_a_run_from_before_the_setting_goes_on(tmp_path):
    config = Config(data="rendered:4")
    old = dataclasses.asdict(config)
    del old["accumulate"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    assert json.loads(run._check_folder(tmp_path, config, []))["accumulate"] == 1
    (tmp_path / "model.keras").touch()
    with pytest.raises(KerasShrError, match="a run with accumulate=1, not 4"):
        run._check_folder(tmp_path, dataclasses.replace(config, accumulate=4), [])
