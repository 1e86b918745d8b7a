"""95 % intervals: how much a figure would change with other test pictures."""

import numpy as np

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
    labels = [group or f"\0{i}" for i, group in enumerate(groups)]
    unique, index = np.unique(labels, return_inverse=True)
    if len(unique) == count:
        return np.arange(count), f"{count} single images"
    if len(unique) == 1:
        return np.arange(count), (
            f"{count} single images of one group; they resemble each other, so the intervals are "
            "too narrow"
        )
    sentence = f"{len(unique)} groups of {count} images"
    return index, sentence + ("; with so few the intervals are rough" if len(unique) < 10 else "")


class Bootstrap:
    """The same draws for every model and metric, so that differences of models are paired.

    Args:
        groups: one string for each image, possibly "".
        seed: of the draws.
        draws: how many.
    """

    def __init__(self, groups, seed=0, draws=DRAWS):
        index, self.sentence = units(groups)
        count = int(index.max()) + 1
        rng = np.random.default_rng(seed)
        times = rng.multinomial(count, np.full(count, 1 / count), size=draws)
        self.weights = times[:, index].astype("float64")
        self.enough = count > 1

    def ratio(self, sums, counts):
        """Σ sums / Σ counts over images, for all images and for each draw.

        Args:
            sums: `(images, columns)`.
            counts: the same.

        Returns:
            `(columns,)` and `(draws, columns)`; NaN where nothing is counted.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            value = sums.sum(0) / counts.sum(0)
            return value, (self.weights @ sums) / (self.weights @ counts)

    def interval(self, draws):
        """Low and high, `(columns,)` each, of `(draws, columns)`; NaN without a spread."""
        if not self.enough:
            return np.full((2, draws.shape[1]), np.nan)
        usable = ~np.isnan(draws).all(0)
        result = np.full((2, draws.shape[1]), np.nan)
        if usable.any():
            result[:, usable] = np.nanpercentile(draws[:, usable], LEVELS, axis=0)
        return result
