"""Shared settings: a quiet TensorFlow, seeds, and hypothesis without wall-clock limits."""

import contextlib
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with contextlib.suppress(ImportError):
    import torchvision  # noqa: F401 - after TensorFlow its import ends in a segmentation fault

import keras
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "keras_shr",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("keras_shr")


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def real_hands():
    """The development photographs, where a checkout has them beside it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "real_hands"
    if not (folder / "index.jsonl").exists():
        pytest.skip("the development photographs are not beside this checkout")
    return folder
