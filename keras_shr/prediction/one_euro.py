"""The One-Euro filter: smooths little when a point moves fast and much when it rests."""

import numpy as np

from keras_shr.errors import KerasShrError


class OneEuroFilter:
    """Filters keypoints frame by frame.

    Source: Casiez, Roussel, Vogel: 1 € Filter: A Simple Speed-based Low-pass Filter for Noisy
    Input in Interactive Systems, CHI 2012. A first-order low-pass filter whose cutoff frequency
    grows with the speed of the filtered signal: `cutoff = min_cutoff + beta · |speed|`.

    Args:
        frequency: frames a second.
        min_cutoff: Hz at rest; lower removes more jitter and lags more.
        beta: how fast the cutoff grows with the speed, in Hz for each pixel a second, of a crop 256
            pixels wide if calls give their `scale`; higher lags less in motion.
        derivative_cutoff: Hz of the filter of the speed.
    """

    def __init__(self, frequency=30.0, min_cutoff=1.0, beta=0.01, derivative_cutoff=1.0):
        for name, value in (
            ("frequency", frequency),
            ("min_cutoff", min_cutoff),
            ("derivative_cutoff", derivative_cutoff),
        ):
            if not value > 0:
                raise KerasShrError(f"{name} is {value!r}; it must be above 0")
        if beta < 0:
            raise KerasShrError(f"beta is {beta!r}; it must not be negative")
        self.frequency, self.min_cutoff, self.beta = float(frequency), min_cutoff, beta
        self.derivative_cutoff = derivative_cutoff
        self._before: np.ndarray | None = None
        self._speed: np.ndarray | float = 0.0

    def reset(self) -> None:
        """Forgets the past: the next call passes unchanged."""
        self._before, self._speed = None, 0.0

    def __call__(self, points, scale=1.0) -> np.ndarray:
        """The filtered points of the next frame.

        Args:
            points: array of any shape, the same in each frame. Where it is not finite the filter
                starts anew with the next finite value.
            scale: factor from pixels of `points` to those that `beta` counts in. Without it a film
                of ten times the resolution would hardly be filtered: everything in it is fast.

        Returns:
            float64 array of that shape.
        """
        points = np.asarray(points, "float64")
        if self._before is None:
            self._before, self._speed = points.copy(), np.zeros_like(points)
            return points
        fresh = ~np.isfinite(self._before)
        change = np.where(fresh, 0.0, (points - self._before) * self.frequency)
        weight = self._weight(self.derivative_cutoff)
        speed = np.where(fresh, 0.0, weight * change + (1 - weight) * self._speed)
        weight = self._weight(self.min_cutoff + self.beta * scale * np.abs(speed))
        filtered = np.where(fresh, points, weight * points + (1 - weight) * self._before)
        self._before, self._speed = filtered, np.nan_to_num(speed)
        return filtered.copy()

    def _weight(self, cutoff):
        """The new value's share in a low-pass filter of that cutoff frequency."""
        return 1 / (1 + self.frequency / (2 * np.pi * cutoff))
