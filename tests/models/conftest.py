"""The two kinds of model that the tests of shapes and of saving go through."""

import pytest
from model_helpers import (
    STILL,
    small_regressor,
    tiny_model,
    tiny_network,
)

MODELS = {
    "paired_norm": lambda **options: tiny_model(
        tiny_network(norm=True), augmentation=STILL, **options
    ),
    "regressor": small_regressor,
}


@pytest.fixture(params=["paired_norm", pytest.param("regressor", marks=pytest.mark.slow)])
def make(request):
    return MODELS[request.param]
