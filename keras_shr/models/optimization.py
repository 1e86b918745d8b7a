"""What `compile()` without arguments trains with."""

import math
import warnings

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError


@keras.saving.register_keras_serializable(package="keras_shr")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, then a half cosine down to `final`.

    Args:
        peak: highest learning rate.
        total_steps: length of the whole run. Steps are batches, also where the gradients of several
            make one update. With `None` the rate stays at `peak` after the warm-up, unless
            `PairedHeatmapModel.fit` fills it in from its epochs and data.
        warmup: share of `total_steps` (or of 10,000 steps if that is unknown) spent rising.
        final: learning rate at the end, as a share of `peak`.
        first_step: what the optimizer has counted when the run begins. `fit` fills it in: a model
            that is trained once more warms up anew.
        fixed: whether `fit` leaves both as they are; by default where `total_steps` is given.
    """

    def __init__(
        self, peak=2e-3, total_steps=None, warmup=0.05, final=0.01, first_step=0, fixed=None
    ):
        self.fixed = total_steps is not None if fixed is None else fixed
        self.peak, self.total_steps, self.warmup, self.final = peak, total_steps, warmup, final
        self.first_step = first_step

    def __call__(self, step) -> Tensor:
        step = ops.maximum(ops.cast(step, "float32") - self.first_step, 0.0)
        rise = max(1.0, self.warmup * (self.total_steps or 10_000))
        rate = self.peak * ops.minimum(1.0, (step + 1.0) / rise)
        if self.total_steps:
            progress = ops.clip((step - rise) / max(1.0, self.total_steps - rise), 0.0, 1.0)
            rate = rate * (self.final + (1 - self.final) * 0.5 * (1 + ops.cos(math.pi * progress)))
        return rate

    def get_config(self) -> dict:
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup": self.warmup,
            "final": self.final,
            "first_step": self.first_step,
            "fixed": self.fixed,
        }

    @classmethod
    def from_config(cls, config) -> "WarmupCosine":
        return cls(**{"fixed": False} | config)  # older files lack it: `fit` had filled them in


def default_optimizer(peak=2e-3, accumulate=1) -> keras.optimizers.Optimizer:
    """AdamW with `WarmupCosine` and the gradient's global norm clipped at 1.

    Args:
        peak: highest learning rate.
        accumulate: batches whose mean gradient makes one update: that of one batch `accumulate`
            times as large, in the memory of one, if all have equally many supervised keypoints and
            no layer looks at its batch as batch normalisation does. Clipping and weight decay act
            on the update.

    Raises:
        KerasShrError: `accumulate` is no whole number of at least 1.
    """
    if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
        raise KerasShrError(f"accumulate is {accumulate!r}; expected a whole number of at least 1")
    return keras.optimizers.AdamW(
        learning_rate=WarmupCosine(peak),
        weight_decay=1e-4,
        global_clipnorm=1.0,
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
    )


def batches_seen(optimizer):
    """The variable that counts batches; `iterations` stands still while gradients accumulate."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def fitted_schedule(optimizer):
    """The optimizer's `WarmupCosine`, or None where it has none."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # under loss scaling
    schedule = getattr(inner, "_learning_rate", None)
    return schedule if isinstance(schedule, WarmupCosine) else None


def fit_schedule(optimizer, steps, epochs, initial_epoch, callbacks):
    """Tells the optimizer's `WarmupCosine`, if it has one, where a run begins and ends.

    Args:
        steps: of an epoch, or None where that is not known.
        epochs, initial_epoch: of `fit`.
        callbacks: of `fit`; `BackupAndResume` knows where a run that goes on began.

    Returns:
        Whether the schedule changed (a compiled training function is then out of date).
    """
    schedule = fitted_schedule(optimizer)
    if schedule is None or schedule.fixed:
        return False
    if not steps:
        warnings.warn(
            "the data do not tell how many batches an epoch has, so the learning rate stays at its "
            "peak; give fit steps_per_epoch, or compile an optimizer with WarmupCosine(peak, "
            "total_steps)",
            stacklevel=3,
        )
    before = schedule.total_steps, schedule.first_step
    counted = int(ops.convert_to_numpy(batches_seen(optimizer).value))
    # Without the length of an epoch the rate stays up; an earlier run's end must not hold it down.
    first_step = max(0, counted - initial_epoch * (steps or 0))
    for callback in keras.tree.flatten(getattr(callbacks, "callbacks", callbacks)):
        began = getattr(callback, "run_began_at", None)
        first_step = first_step if began is None else began
    schedule.total_steps = steps * epochs if steps else None
    schedule.first_step = first_step
    return (schedule.total_steps, schedule.first_step) != before


def count_steps(x, batch_size, steps_per_epoch, validation_split=0.0):
    """Steps in an epoch of `fit(x, ...)`, or `None` where only running it would tell."""
    if steps_per_epoch:
        return steps_per_epoch
    if hasattr(x, "cardinality"):  # tf.data: negative if infinite or unknown
        count = x.cardinality  # a method, or the number itself of a distributed data set
        count = int(count() if callable(count) else count)
        return count if count > 0 else None
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    if hasattr(x, "shape"):
        return math.ceil(training_images(x.shape[0], validation_split) / (batch_size or 32))
    return None


def training_images(images, validation_split):
    """How many of an array's images train, as Keras splits it: the first ones."""
    return math.floor(images * (1.0 - (validation_split or 0.0)))
