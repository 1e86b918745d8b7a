"""Ends a run whose loss has become NaN or infinite."""

import math

import keras

from keras_shr.errors import KerasShrError


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Raises `KerasShrError`, naming epoch and batch, as soon as the loss is not finite.

    Keras' `TerminateOnNaN` ends `fit` as if all were well, and a script goes on to save and
    evaluate a ruined model. An exception ends the command with an error, and the backup of the last
    finished epoch stays as it is.

    Looks at the running loss of the epoch, which stays non-finite once one batch was. With
    `steps_per_execution` the batch named is the last of its group; on JAX the check runs beside
    the training, which is then a few batches further when it stops.
    """

    def __init__(self):
        super().__init__()
        # Keras may then call it in a thread, without waiting for each batch on the device.
        self.async_safe = True
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise KerasShrError(
                f"the loss is {float(loss)} in epoch {self._epoch + 1}, batch {batch + 1}: "
                "training stopped; lower the learning rate, or look for broken images or labels"
            )
