import inspect
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from keras_shr.data import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.layers import RandomKeypointAffine
from keras_shr.models import StableHeatmapRegressor
from keras_shr.skeletons import Skeleton
from keras_shr.training import Batches, Config, load_config
from keras_shr.training.holding_out import hold_out


def data(count=23, groups=()):
    images = np.arange(count, dtype="uint8")[:, None, None, None] * np.ones((1, 8, 8, 3), "uint8")
    return KeypointData(
        images, np.zeros((count, 2, 3), "float32"), Skeleton.generic(2), groups=groups
    )


def test_overrides_reach_inside_and_read_literals():
    config = Config(model={"alpha": 1.0}).override(
        ["epochs=3", "model.alpha=0.5", "model.rcc=None", "data=folder:here", "init=a.keras"]
    )
    assert (config.epochs, config.data, config.init) == (3, "folder:here", "a.keras")
    assert config.model == {"alpha": 0.5, "rcc": None}


@pytest.mark.parametrize("wrong", ["epochs", "epoch=3", "data.alpha=1"])
def test_a_wrong_override_names_itself(wrong):
    with pytest.raises(KerasShrError, match=wrong.partition("=")[0].replace(".", r"\.")):
        Config().override([wrong])


def test_configurations_of_the_project_load():
    for name in ("rhd", "stb", "rendered", "folder"):
        assert load_config(f"train/configs/{name}.py").image_size in (128, 256)


@pytest.mark.parametrize("name", ["rhd", "stb"])
def test_what_the_paper_does_not_give_is_written_out_and_marked(name):
    file = Path("train/configs") / f"{name}.py"
    config = load_config(file)
    known = set(inspect.signature(StableHeatmapRegressor.__init__).parameters)
    known -= {"self", "num_keypoints", "image_size", "kwargs"}
    assert set(config.model) == known | {"augmentation"}
    defaults = inspect.signature(RandomKeypointAffine.__init__).parameters
    written = config.model["augmentation"]
    assert set(written) == set(defaults) - {"self", "flip_order", "seed", "kwargs"}
    lines = [line.strip() for line in file.read_text().partition("Config(\n")[2].splitlines()]
    assert [line for line in lines if "not in the paper" not in line and line[0] not in ")}"] == [
        'split="train",',
        "model={",
        '"backbone": "mobilenet_v2",',
        '"augmentation": {',
    ]


def test_a_file_without_config_is_named(tmp_path):
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(KerasShrError, match=r"empty\.py"):
        load_config(tmp_path / "empty.py")
    with pytest.raises(KerasShrError, match="no such"):
        load_config(tmp_path / "nowhere.py")


def test_hold_out_keeps_groups_together():
    groups = [f"g{i // 4}" for i in range(40)]
    training, validation = hold_out(data(40, groups), Config(validation_share=0.2))
    assert not set(training.groups) & set(validation.groups)
    assert len(training) + len(validation) == 40
    assert 8 <= len(validation) <= 11


def test_hold_out_without_groups_takes_the_share():
    training, validation = hold_out(data(40), Config(validation_share=0.1))
    assert (len(training), len(validation)) == (36, 4)
    assert not set(training.ids) & set(validation.ids)


def test_hold_out_needs_no_second_copy():
    whole = KeypointData(
        np.random.default_rng(0).integers(0, 256, (3000, 16, 16, 3), dtype="uint8"),
        np.arange(3000 * 6, dtype="float32").reshape(3000, 2, 3),
        Skeleton.generic(2),
    )
    size, pictures, labels = whole.images.nbytes, whole.images.copy(), whole.keypoints.copy()
    tracemalloc.start()
    training, validation = hold_out(whole, Config(validation_share=0.1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2
    for part in (training, validation):
        rows = [int(i) for i in part.ids]
        np.testing.assert_array_equal(part.images, pictures[rows])
        np.testing.assert_array_equal(part.keypoints, labels[rows])
    assert sorted(training.ids + validation.ids) == sorted(whole.ids)


def seen(batches, epochs):
    found = []
    for _ in range(epochs):
        found.append([batches[i][0][:, 0, 0, 0].tolist() for i in range(batches.num_batches)])
        batches.on_epoch_end()
    return found


def test_batches_are_the_same_after_a_resume():
    whole = seen(Batches(data(), 5, seed=3), 4)
    assert seen(Batches(data(), 5, seed=3, first_epoch=2), 2) == whole[2:]
    assert seen(Batches(data(), 5, seed=4), 4) != whole


@pytest.mark.parametrize("steps", [1, 3, 4, 9])
def test_epochs_of_any_length_go_through_the_data_evenly(steps):
    epochs = seen(Batches(data(20), 5, steps=steps), 4 * 9)
    values = [v for epoch in epochs for batch in epoch for v in batch]
    for start in range(0, len(values) - 19, 20):
        assert sorted(values[start : start + 20]) == list(range(20))


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(KerasShrError, match="23 images"):
        Batches(data(), 24)


@pytest.mark.parametrize(
    ("name", "value"), [("target", "gaussian"), ("stability_weight", 3.0), ("severities", (1,))]
)
def test_a_method_decides_how_it_trains(name, value):
    with pytest.raises(KerasShrError, match=rf"model\.{name}=.* with method='paper', which decid"):
        Config(method="paper", model={"alpha": 0.5, name: value})
    Config(model={name: value})
    Config(method="paper", model={"alpha": 0.5, "augmentation": None, "seed": 1})
