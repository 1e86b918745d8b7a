"""VGG19-BN and ShuffleNetV2 compute what torchvision's compute, HRNet what timm's computes."""

from fnmatch import fnmatchcase

import pytest
from backbone_parity import ARCHITECTURES, TorchBackbone, compare

from keras_shr.models.backbones import build_backbone
from keras_shr.models.weights import (
    CLASSIFIER_HEADS,
    COARSE_BRANCHES,
    from_torch,
    state_dict_shapes,
)

HRNETS = ("hrnet_w18", "hrnet_w32", "hrnet_w48")
SLOW = (*HRNETS, "shufflenet_v2_x1_5", "shufflenet_v2_x2_0")
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ARCHITECTURES
]
CASES = [
    pytest.param(name, size, marks=pytest.mark.slow if name in SLOW else ())
    for name, architecture in ARCHITECTURES.items()
    for size in architecture.sizes
]
pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _torch(request):
    library = ARCHITECTURES[request.getfixturevalue("name")].library
    pytest.importorskip(library, reason=f"torch and {library} are not installed")


@pytest.mark.parametrize(("name", "size"), CASES, ids=str)
def test_stages_agree_in_inference_and_training(name, size):
    rows = compare(ARCHITECTURES[name], size)
    assert {row["mode"] for row in rows} == {"inference", "training"}
    for row in rows:
        assert row["relative_difference"] < 1e-4, row
        assert row["parameters"] == row["torch_parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_of_all_weights_agree(name):
    architecture = ARCHITECTURES[name]
    assert state_dict_shapes(architecture.backbone((32, 32))) == TorchBackbone(architecture).shapes


@pytest.mark.slow
@pytest.mark.parametrize("name", HRNETS)
def test_the_finest_branch_takes_torch_s_weights(name):
    """Those of the whole network, and of one that has no other branch at its end."""
    state = ARCHITECTURES[name].torch_network().state_dict()
    backbone = from_torch(build_backbone(name, (32, 32)), state)
    pruned = {
        key: value
        for key, value in state.items()
        if not any(fnmatchcase(key, pattern) for pattern in COARSE_BRANCHES)
    }
    assert len(pruned) < len(state)
    from_torch(backbone, pruned, ignore=CLASSIFIER_HEADS)
