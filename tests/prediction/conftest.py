"""A trained model's file."""

import pytest
from prediction_helpers import lamp_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "lamps.keras"
    lamp_model().save(path)
    return str(path)
