"""A run that starts from a trained model: which network it builds."""

import numpy as np
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.models import StableHeatmapRegressor
from keras_shr.skeletons import Skeleton
from keras_shr.training import Config, run

SKELETON = Skeleton("two", ("a", "b"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "model.keras"
    network = {"backbone": "small_cnn", "heatmap_stride": 8, "filters": (8,)}
    StableHeatmapRegressor(3, image_size=32, **network).save(path)
    return str(path)


def test_where_nothing_is_said_of_a_network_the_files_is_built(trained):
    given = Config(init=trained, image_size=64, model={"rcc": None})
    config = run.with_architecture_of_init(given)
    model = run.build_model(config, SKELETON)
    assert (model.image_size, model.heatmap_size) == ((64, 64), (8, 8))
    source = run._load_init(trained)
    first, other = (m.network.trainable_weights[0] for m in (model, source))
    np.testing.assert_array_equal(first, other)
    assert model.rcc is None
    assert run.with_architecture_of_init(Config(image_size=64)) == Config(image_size=64)


def test_another_network_is_named(trained):
    model = {"backbone": "small_cnn", "heatmap_stride": 4, "filters": (8, 8)}
    config = Config(init=trained, image_size=32, model=model)
    assert run.with_architecture_of_init(config) == config
    with pytest.raises(KerasShrError, match=r"has model.heatmap_stride=8, model.filters=\[8\]$"):
        run.build_model(config, SKELETON)
    with pytest.raises(KerasShrError, match="init=nothing: there is no file and no trained"):
        run.with_architecture_of_init(Config(init="nothing"))
