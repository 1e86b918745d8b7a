"""Jitter of tracks: worked by hand, against NumPy, and what must not count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_shr.errors import KerasShrError
from keras_shr.metrics import acceleration, jitter

TRACKS = arrays("float64", (6, 3, 2), elements=st.floats(-100, 300))


def test_by_hand():
    track = np.array([[[0, 0]], [[3, 4]], [[6, 8]], [[6, 8]]], "float32")
    # Even speed, then a stop: the second difference is (-3, -4).
    np.testing.assert_allclose(np.asarray(acceleration(track))[:, 0], [0, 5])
    still = np.zeros_like(track)
    np.testing.assert_allclose(np.asarray(jitter(track, still, scale=2))[:, 0], [10, 10, 0])
    np.testing.assert_allclose(np.asarray(jitter(track, track + 7)), 0)


@given(TRACKS, TRACKS)
def test_oracle(track, labels):
    found = np.asarray(acceleration(track))
    np.testing.assert_allclose(found, np.linalg.norm(np.diff(track, 2, 0), axis=-1), atol=1e-2)
    difference = np.linalg.norm(np.diff(track - labels, axis=0), axis=-1)
    np.testing.assert_allclose(np.asarray(jitter(track, labels)), difference, atol=1e-2)


def test_scores_are_not_looked_at():
    track = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32")
    other = track.copy()
    other[..., 2] = 9
    np.testing.assert_array_equal(np.asarray(acceleration(track)), np.asarray(acceleration(other)))


def test_errors():
    two = np.zeros((2, 4, 2))
    with pytest.raises(KerasShrError, match="track has 2 frames; expected 3 or more"):
        acceleration(two)
    with pytest.raises(KerasShrError, match="of the same frames and keypoints"):
        jitter(two, np.zeros((3, 4, 2)))
