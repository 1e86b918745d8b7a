"""95 % intervals: how much a figure would change with other test pictures."""

import numpy as np

from keras_shr.data.records import own_groups

DRAWS = 1000
LEVELS = (2.5, 97.5)


def units(groups) -> tuple[np.ndarray, str]:
    """What is drawn with replacement: groups of images where there are any, else single images.

    Images of one person or sequence resemble each other, so drawing them one by one would make
    the intervals too narrow. An image without a group is a unit of its own.

    Args:
        groups: one string for each image, possibly "".

    Returns:
        The unit of each image, int `(images,)` from 0, and a sentence for the report.
    """
    count = len(groups)
    unique, index = np.unique(own_groups(groups), return_inverse=True)
    rough = "; with so few the intervals are rough" if len(unique) < 10 else ""
    if count == 1:
        return np.arange(1), "a single image, which gives none"
    if len(unique) == count:
        return np.arange(count), f"{count} single images{rough}"
    if len(unique) == 1:
        return np.arange(count), (
            f"{count} single images of one group; they resemble each other, so the intervals are "
            "too narrow"
        )
    return index, f"{len(unique)} groups of {count} images{rough}"


class Ratio:
    """Σ sums / Σ counts over images that come in blocks, and the same for each draw."""

    def __init__(self):
        self.counts = self._sums = self._drawn_sums = self._drawn_counts = 0.0

    def add(self, sums, counts, drawn_sums, drawn_counts):
        """A block's totals, `(columns,)` each, and those of each draw, `(draws, columns)`."""
        self._sums = self._sums + sums
        self.counts = self.counts + counts
        self._drawn_sums = self._drawn_sums + drawn_sums
        self._drawn_counts = self._drawn_counts + drawn_counts

    @property
    def value(self):
        """`(columns,)`; NaN where nothing is counted."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._sums / self.counts

    @property
    def draws(self):
        """`(draws, columns)`; NaN where a draw counts nothing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._drawn_sums / self._drawn_counts


class Bootstrap:
    """The same draws for every model and metric, so that differences of models are paired.

    Args:
        groups: one string for each image, possibly "".
        seed: of the draws.
        draws: how many.
    """

    def __init__(self, groups, seed=0, draws=DRAWS):
        self._index, self.sentence = units(groups)
        count = int(self._index.max()) + 1
        rng = np.random.default_rng(seed)
        # A byte each and a draw at a time, because images are many; a unit is drawn once on
        # average and never 256 times.
        self._times = np.empty((draws, count), np.uint8)
        for row in self._times:
            row[:] = rng.multinomial(count, np.full(count, 1 / count))
        self.enough = count > 1

    def weights(self, images=slice(None)):
        """How often each image is in each draw, float64 `(draws, images)`.

        Args:
            images: a slice, to have the weights of some.
        """
        return self._times[:, self._index[images]].astype("float64")

    def ratio(self, sums, counts):
        """Σ sums / Σ counts over images, for all images and for each draw.

        Args:
            sums: `(images, columns)`.
            counts: the same.

        Returns:
            `(columns,)` and `(draws, columns)`; NaN where nothing is counted.
        """
        weights, ratio = self.weights(), Ratio()
        ratio.add(sums.sum(0), counts.sum(0), weights @ sums, weights @ counts)
        return ratio.value, ratio.draws

    def interval(self, draws):
        """Low and high, `(columns,)` each, of `(draws, columns)`; NaN without a spread."""
        if not self.enough:
            return np.full((2, draws.shape[1]), np.nan)
        usable = ~np.isnan(draws).all(0)
        result = np.full((2, draws.shape[1]), np.nan)
        if usable.any():
            result[:, usable] = np.nanpercentile(draws[:, usable], LEVELS, axis=0)
        return result
