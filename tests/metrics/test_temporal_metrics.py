"""Jitter of tracks: worked by hand, against NumPy, and what must not count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_shr.errors import KerasShrError
from keras_shr.metrics import acceleration, jitter, path_deviation

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


def polyfit_deviation(track, window):
    """The oracle: a parabola fitted to each coordinate of each window by itself."""
    times, half = np.arange(window), window // 2
    found = np.zeros((len(track) - window + 1, track.shape[1], 2))
    for start, k, c in np.ndindex(found.shape):
        values = track[start : start + window, k, c]
        fitted = np.polyval(np.polyfit(times, values, 2), half)
        found[start, k, c] = values[half] - fitted
    return np.linalg.norm(found, axis=-1)


@settings(max_examples=30)
@given(arrays("float64", (9, 2, 2), elements=st.floats(-100, 300)), st.sampled_from([5, 7, 9]))
def test_distance_from_the_smooth_path(track, window):
    found = np.asarray(path_deviation(track, window=window))
    assert found.shape == (10 - window, 2)
    np.testing.assert_allclose(found, polyfit_deviation(track, window), atol=1e-2)
    doubled = np.asarray(path_deviation(track, window=window, scale=2))
    np.testing.assert_allclose(doubled, 2 * found, atol=1e-3)


def test_motion_is_taken_out_of_a_path_and_noise_is_not():
    t = np.arange(400.0)
    path = np.stack([5 + 3 * t - 0.02 * t**2, 800 - 2 * t], -1)[:, None]
    np.testing.assert_allclose(np.asarray(path_deviation(path)), 0, atol=2e-3)
    shaking = path.copy()
    shaking[::2, 0, 0] += 35  # of this a window keeps 1 and 13/35 halves
    np.testing.assert_allclose(np.asarray(path_deviation(shaking)), 24, atol=5e-3)
    noise = np.random.default_rng(0).normal(size=(4000, 1, 2))
    found = np.asarray(path_deviation(noise)) ** 2
    assert np.sqrt(found.mean() / 2) == pytest.approx(0.72, abs=0.02)


def test_scores_are_not_looked_at():
    track = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32")
    other = track.copy()
    other[..., 2] = 9
    for metric in (acceleration, path_deviation):
        np.testing.assert_array_equal(np.asarray(metric(track)), np.asarray(metric(other)))


def test_errors():
    two = np.zeros((2, 4, 2))
    with pytest.raises(KerasShrError, match="track has 2 frames; expected 3 or more"):
        acceleration(two)
    with pytest.raises(KerasShrError, match="of the same frames and keypoints"):
        jitter(two, np.zeros((3, 4, 2)))
    with pytest.raises(KerasShrError, match="track has 2 frames; expected 5 or more"):
        path_deviation(two)
    for wrong in (3, 6):
        with pytest.raises(KerasShrError, match=f"window is {wrong}; it must be an odd number"):
            path_deviation(np.zeros((9, 4, 2)), window=wrong)
