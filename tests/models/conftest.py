"""The two kinds of model that the tests of shapes and of saving go through, and a model with data
that it can learn from, for what is refused."""

import pytest
from model_helpers import STILL, compiled, small_regressor, tiny_model, tiny_network

from tests.dots import pictures

MODELS = {
    "paired_norm": lambda **options: tiny_model(
        tiny_network(norm=True), augmentation=STILL, **options
    ),
    "regressor": small_regressor,
}


@pytest.fixture(params=["paired_norm", pytest.param("regressor", marks=pytest.mark.slow)])
def make(request):
    return MODELS[request.param]


@pytest.fixture(scope="module")
def model():
    return compiled(tiny_model())


@pytest.fixture(scope="module")
def good():
    return pictures(4)
