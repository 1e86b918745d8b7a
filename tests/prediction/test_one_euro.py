"""The One-Euro filter against its paper's algorithm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shr.errors import KerasShrError
from keras_shr.prediction import OneEuroFilter


def oracle(signal, frequency, min_cutoff, beta, derivative_cutoff):
    """The paper's algorithm, value by value."""

    def alpha(cutoff):
        tau, period = 1 / (2 * np.pi * cutoff), 1 / frequency
        return 1 / (1 + tau / period)

    result, speed = [signal[0]], 0.0
    for value in signal[1:]:
        a = alpha(derivative_cutoff)
        speed = a * (value - result[-1]) * frequency + (1 - a) * speed
        a = alpha(min_cutoff + beta * abs(speed))
        result.append(a * value + (1 - a) * result[-1])
    return result


@settings(max_examples=50)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20),
    st.floats(1, 240),
    st.floats(0.01, 10),
    st.floats(0, 1),
    st.floats(0.1, 10),
)
def test_filter_oracle(signal, frequency, min_cutoff, beta, derivative_cutoff):
    smooth = OneEuroFilter(frequency, min_cutoff, beta, derivative_cutoff)
    found = [float(smooth(np.array(v))) for v in signal]
    expected = oracle(signal, frequency, min_cutoff, beta, derivative_cutoff)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_film_of_higher_resolution_is_filtered_alike():
    rng = np.random.default_rng(1)
    signal = rng.normal(0, 20, (30, 2)).cumsum(0)
    small, large = OneEuroFilter(30, beta=0.05), OneEuroFilter(30, beta=0.05)
    for points in signal:
        np.testing.assert_allclose(large(8 * points, 1 / 8), 8 * small(points), atol=1e-9)


def test_filter_rests_follows_and_starts_anew():
    rng = np.random.default_rng(0)
    smooth = OneEuroFilter(30, min_cutoff=0.5, beta=0.05)
    still = np.array([smooth(rng.normal(0, 1, (4, 2))) for _ in range(200)])[50:]
    assert still.std() < 0.4  # jitter of 1 px
    fast = [smooth(np.full((4, 2), 20.0 * i)) for i in range(60)][-1]
    assert np.abs(fast - 20 * 59).max() < 20  # less than one frame behind
    smooth(np.full((4, 2), np.nan))
    np.testing.assert_array_equal(smooth(np.full((4, 2), 7.0)), 7.0)
    smooth.reset()
    np.testing.assert_array_equal(smooth(np.zeros((4, 2))), 0)
    with pytest.raises(KerasShrError, match="min_cutoff is 0"):
        OneEuroFilter(min_cutoff=0)
