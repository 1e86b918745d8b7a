"""How the pairs are trained: defaults of `compile` and `fit`, and `train_step` for each backend.

The steps only put the pairs in front of Keras's own step. A pair is drawn in
`PairedHeatmapModel.make_pairs`, which is the same on every backend; Keras's step then does the
forward pass, `compute_loss`, loss scaling and the update.

Under tf.distribute a step does to the weights what one device with the global batch would do:
draws, divisors of the losses, statistics of batch normalisation, gradient clipping and the test of
loss scaling all see the whole of it (`keras_shr._replicas`).
"""

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import keras
from keras import ops

from keras_shr import _replicas
from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.metrics import KeypointAUC
from keras_shr.models._checks import check_data, check_images
from keras_shr.models._setting_checks import check_metrics, check_size
from keras_shr.models.optimization import (
    batches_seen,
    count_steps,
    default_optimizer,
    fit_schedule,
    training_images,
)


class LossMean(keras.metrics.Mean):
    """The mean of a loss over batches, each counting as many times as it has images.

    In a replica `update_state` takes the replica's share of the loss times the number of replicas,
    as Keras gives it, and the number of images here.
    """

    def update_state(self, values, sample_weight=None):
        replicas = _replicas.replica_count()
        if replicas > 1:
            here = ops.cast(sample_weight, "float32")
            everywhere = _replicas.sum_over_replicas(here)
            values = ops.divide_no_nan(values * everywhere, here * replicas)
        super().update_state(values, sample_weight)


if TYPE_CHECKING:  # what the trainer is mixed into
    from keras import Model as _Model
else:
    _Model = object


class _Trainer(_Model):
    def compile(self, optimizer=None, loss=None, metrics=None, **kwargs):
        """Like `keras.Model.compile`, with defaults for everything.

        Args:
            optimizer: default AdamW with warm-up, a cosine schedule over the whole `fit` and
                gradient clipping.
            loss: must stay `None`; the losses are chosen in the constructor.
            metrics: metrics of keypoints in image pixels, by default `KeypointAUC` over 0-30 px
                of a 256-px crop. They are given labels `(batch, keypoints, 3)` with visibility and
                predictions `(batch, keypoints, 3)` with a score.
            kwargs: see `keras.Model.compile`.

        Raises:
            KerasShrError: `loss` or `loss_weights`, or a metric of something else.
        """
        for name, value in (("loss", loss), ("loss_weights", kwargs.get("loss_weights"))):
            if value is not None:
                raise KerasShrError(
                    f"compile({name}=...) has no effect here: choose target, rcc, stability and "
                    "stability_weight in the constructor"
                )
        check_metrics([metrics, kwargs.get("weighted_metrics")])
        if metrics is None:
            metrics = [KeypointAUC(scale=256 / max(self.image_size), name="auc")]
        optimizer = keras.optimizers.get(default_optimizer() if optimizer is None else optimizer)
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if kwargs.get("auto_scale_loss", True) and not scaled and self._has_float16():
            # Keras looks at this model's own policy, which is float32; the network's counts.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        chosen = kwargs.get("jit_compile", "auto")
        if keras.config.backend() == "tensorflow":
            distributed = self._distribute_strategy is not None
            if chosen == "auto":
                kwargs["jit_compile"] = _has_gpu() and not distributed
            if distributed:
                _check_accumulation(optimizer)
                _replicas.reduce_gradients_first(optimizer)
        super().compile(
            optimizer=optimizer,
            metrics=metrics,
            **kwargs,
        )
        # What is right here need not be where the saved model is loaded.
        self._compile_config.config["jit_compile"] = chosen
        # As Keras does, past the tracking of layers, which are closed once they are built.
        object.__setattr__(self, "_loss_tracker", LossMean(name="loss"))

    def _has_float16(self):
        return any(layer.compute_dtype == "float16" for layer in self.network._flatten_layers())

    def compile_from_config(self, config):
        """Compiles a loaded model as it was compiled when saved; several devices without XLA."""
        if getattr(self, "_distribute_strategy", None) is not None:
            config = config | {"jit_compile": "auto"}
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, **kwargs):
        """Like `keras.Model.fit`; a `WarmupCosine` schedule is stretched over all its epochs.

        Raises:
            KerasShrError: images that are 0..1 or of another size, labels of another shape or none
                that could be learned from, for training or validation; `class_weight`.
        """
        if kwargs.get("class_weight") is not None:
            raise KerasShrError(
                "fit(class_weight=...): keypoints have no classes; give sample_weight (batch,) or "
                f"(batch, {self.num_keypoints})"
            )
        check_size(self)
        x = check_data(x, y, kwargs.get("sample_weight"), self)
        validation_batch = kwargs.get("validation_batch_size") or batch_size
        # Beside validation_data Keras splits nothing off.
        given = kwargs.get("validation_data") is not None
        split = 0.0 if given else kwargs.get("validation_split") or 0.0
        training = training_images(_length(x), split)
        if kwargs.get("steps_per_epoch") is None:
            self._check_last_batch(training, batch_size)
        self._check_last_batch(_length(x) - training, validation_batch)
        if kwargs.get("validation_data") is not None:
            kwargs["validation_data"] = self._checked_validation(
                kwargs["validation_data"], validation_batch
            )
        if self.compiled:  # otherwise Keras says what is missing
            steps = count_steps(x, batch_size, kwargs.get("steps_per_epoch"), split)
            start, callbacks = kwargs.get("initial_epoch") or 0, kwargs.get("callbacks")
            if fit_schedule(self.optimizer, steps, epochs, start, callbacks):
                self.train_function = None  # it holds the old schedule as constants
            self._build_optimizer()
        return super().fit(x, y, batch_size=batch_size, epochs=epochs, **kwargs)

    def _check_last_batch(self, images, batch_size):
        if keras.config.backend() == "tensorflow":
            _replicas.check_last_batch(self._distribute_strategy, images, batch_size)

    def _checked_validation(self, data, batch_size):
        arrays = isinstance(data, tuple | list) and 2 <= len(data) <= 3
        parts = tuple(data) if arrays else (data, None)
        try:
            checked = check_data(parts[0], parts[1], (*parts, None)[2], self)
            self._check_last_batch(_length(parts[0]), batch_size)
        except KerasShrError as error:
            raise KerasShrError(f"validation_data: {error}") from error
        return data if arrays else checked

    def predict(self, x, *args, **kwargs):
        """Like `keras.Model.predict`: heatmaps.

        Raises:
            KerasShrError: an array of images of another size, or in 0..1.
        """
        if hasattr(x, "shape"):
            check_images(x, self.image_size, self.network.input_shape[-1])
            self._check_last_batch(_length(x), args[0] if args else kwargs.get("batch_size"))
        return super().predict(x, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Like `keras.Model.evaluate`; without `stability`, which only training measures.

        Raises:
            KerasShrError: images that are 0..1 or of another size, labels of another shape.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has looked at that
            x = check_data(x, y, kwargs.get("sample_weight"), self, learned=False)
            self._check_last_batch(_length(x), args[0] if args else kwargs.get("batch_size"))
        with self._measured_in_training_alone():
            return super().evaluate(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """Like `keras.Model.test_on_batch`; without `stability`, as `evaluate`."""
        with self._measured_in_training_alone():
            return super().test_on_batch(x, y, *args, **kwargs)

    def get_metrics_result(self):
        """Like Keras's; in evaluation without `stability`, whose 0 would look perfect."""
        results = super().get_metrics_result()
        if vars(self).get("_evaluating"):
            results.pop("stability", None)
        return results

    @contextlib.contextmanager
    def _measured_in_training_alone(self):
        # Past the tracking of layers, as it is no state.
        object.__setattr__(self, "_evaluating", True)
        try:
            yield
        finally:
            object.__setattr__(self, "_evaluating", False)

    def _build_optimizer(self):
        """Makes the optimizer's variables now: inside a traced step each costs a TensorFlow
        conditional, half a minute in all for MobileNetV2."""
        if self.optimizer.built:
            return
        if keras.config.backend() != "tensorflow":
            self.optimizer.build(self.trainable_variables)
            return
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)


class _StatefulTrainer(_Trainer):
    def train_step(self, data):
        data = self.make_pairs(_of_known_rank(data), batches_seen(self.optimizer))
        with _replicas.synchronised_batch_norm(self.network):
            return _replicas.vectors_over_workers(super().train_step(data))

    def test_step(self, data):
        return _replicas.vectors_over_workers(super().test_step(_of_known_rank(data)))

    def predict_on_batch(self, x):
        """Predictions for one batch, computed here: Keras would run it on every replica."""
        if self._distribute_strategy is None:
            return super().predict_on_batch(x)
        if "_predict_here" not in vars(self):
            # Past the tracking of layers, as it is no state.
            object.__setattr__(
                self, "_predict_here", compiled(partial(self.__call__, training=False))
            )
        return keras.tree.map_structure(ops.convert_to_numpy, self._predict_here(x))

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is not None and _replicas.KERAS_CANNOT_BUILD_FROM_REPLICAS:
            data_batch = _replicas.first_replica_batch(self._distribute_strategy, iterator)
            iterator = None
        super()._maybe_symbolic_build(iterator, data_batch)


class _JaxTrainer(_Trainer):
    def train_step(self, state, data):
        # Everything that a step reads has to be an argument in JAX: the number of the step, and
        # the network's weights where the views depend on them. What the scope collects is dropped.
        variables = (
            *self.trainable_variables,
            *self.non_trainable_variables,
            *self.optimizer.variables,
        )
        values = (value for group in state[:3] for value in group)
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            data = self.make_pairs(data, batches_seen(self.optimizer).value)
        return super().train_step(state, data)

    def predict_on_batch(self, x):
        """Predictions for one batch, computed here: with several processes Keras would take it for
        this process's part of one that all of them bring."""
        if _replicas.process_count() == 1:
            return super().predict_on_batch(x)
        if "_predict_here" not in vars(self):
            import jax

            # Past the tracking of layers, as it is no state.
            here = jax.jit(partial(self.stateless_call, training=False))
            object.__setattr__(self, "_predict_here", here)
        states = (
            [_replicas.value_here(variable) for variable in variables]
            for variables in (self.trainable_variables, self.non_trainable_variables)
        )
        outputs, _ = self._predict_here(*states, x)
        return keras.tree.map_structure(ops.convert_to_numpy, outputs)


class _TorchTrainer(_Trainer):
    def train_step(self, data):
        return super().train_step(self.make_pairs(data, batches_seen(self.optimizer)))


if TYPE_CHECKING:
    PairTrainer = _Trainer
else:
    _TRAINERS = {"tensorflow": _StatefulTrainer, "jax": _JaxTrainer, "torch": _TorchTrainer}
    PairTrainer = _TRAINERS[keras.config.backend()]


def _of_known_rank(data):
    """TensorFlow forgets the rank of weights that came with one axis and then come with two."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    if getattr(getattr(weight, "shape", None), "rank", 1) is not None:
        return data
    return x, y, ops.reshape(weight, (ops.shape(y)[0], -1))


def _length(x):
    """How many images an array has; 0 for what is none, whose last batch only running shows."""
    return x.shape[0] if hasattr(x, "shape") else 0


def _check_accumulation(optimizer):
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if inner.gradient_accumulation_steps:
        raise KerasShrError(
            f"gradient_accumulation_steps is {inner.gradient_accumulation_steps}: Keras cannot "
            "accumulate gradients under tf.distribute; leave it out, the devices share the batch"
        )


def _has_gpu():
    """XLA takes a minute to compile a step on a CPU and the step is no faster for it."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
