"""VGG19-BN and ShuffleNetV2 compute what torchvision's compute."""

import pytest
from backbone_parity import ARCHITECTURES, SIZES, TorchBackbone, compare

from keras_shr.models.backbones import build_backbone
from keras_shr.models.weights import state_dict_shapes

SLOW = ("shufflenet_v2_x1_5", "shufflenet_v2_x2_0")
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ARCHITECTURES
]
pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _torch():
    pytest.importorskip("torchvision", reason="torch and torchvision are not installed")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_stages_agree_in_inference_and_training(name, size):
    rows = compare(ARCHITECTURES[name], size)
    assert {row["mode"] for row in rows} == {"inference", "training"}
    for row in rows:
        assert row["relative_difference"] < 1e-4, row
        assert row["parameters"] == row["torch_parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_of_all_weights_agree(name):
    assert (
        state_dict_shapes(build_backbone(name, (32, 32)))
        == TorchBackbone(ARCHITECTURES[name]).shapes
    )
