"""Batches of labelled arrays in an order that depends on the seed and the epoch alone."""

import keras
import numpy as np

from keras_shr.errors import KerasShrError


class Batches(keras.utils.PyDataset):
    """Shuffled batches of `KeypointData` for `fit`, the same again after a resume.

    Keras shuffles arrays with a global generator, whose state an interrupted run takes with it.
    Here epoch e of seed s has one order, wherever it is run.

    Args:
        data: `KeypointData`.
        batch_size: images in a batch; a last, smaller batch is left out, so that one shape is
            compiled.
        seed: of the order.
        steps: batches in an epoch; by default one pass over the data. With more, or fewer, an
            epoch goes on where the last one stopped in the endless sequence of passes.
        first_epoch: the epoch that the first call to `fit` begins with. Keras ends epochs that it
            never began; give `fit` the callback `FollowEpochs` to keep to its count.
        kwargs: of `keras.utils.PyDataset`.
    """

    def __init__(self, data, batch_size, seed=0, steps=None, first_epoch=0, **kwargs):
        super().__init__(**kwargs)
        check_batch_size(batch_size, len(data), data.name)
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.each_pass = len(data) // batch_size
        self.steps = steps or self.each_pass
        self.epoch = first_epoch
        self._order: tuple = (None, None)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return self.steps

    def _pass(self, number):
        if self._order[0] != number:
            order = np.random.default_rng([self.seed, number]).permutation(len(self.data))
            self._order = (number, order)
        return self._order[1]

    @property
    def first_step(self) -> int:
        """The number of this epoch's first batch, counted over all epochs."""
        return self.epoch * self.steps

    def rows(self, step, start=0, stop=None) -> tuple[np.ndarray, np.ndarray]:
        """Images and keypoints of rows `start` to `stop` of batch `step`, over all epochs."""
        number, place = divmod(step, self.each_pass)
        chosen = self._pass(number)[place * self.batch_size : (place + 1) * self.batch_size]
        return self.data.images[chosen[start:stop]], self.data.keypoints[chosen[start:stop]]

    def __getitem__(self, index) -> tuple[np.ndarray, np.ndarray]:
        return self.rows(self.first_step + index)

    def on_epoch_end(self) -> None:
        """Keras says that an epoch is over: the next one has another order."""
        self.epoch += 1


class FollowEpochs(keras.callbacks.Callback):
    """Tells `Batches` which epoch begins."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch


def check_batch_size(batch_size, images, name):
    """Refuse a batch of more images than there are."""
    if batch_size > images:
        raise KerasShrError(
            f"batch_size is {batch_size} and {name} has {images} images; give a smaller batch_size"
        )
