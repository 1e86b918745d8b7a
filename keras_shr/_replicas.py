"""A batch that is spread over the replicas of tf.distribute, seen from one of them.

What speaks of replicas is the identity, or 0, outside of one: on one device, in cross-replica code,
and on JAX, where one program has the whole batch, though perhaps several processes run it.
"""

import contextlib
import functools
import threading
from collections import Counter

import keras
from keras import ops

from keras_shr.errors import KerasShrError

_KERAS = tuple(int(part) for part in keras.__version__.split(".")[:2])

KERAS_CANNOT_BUILD_FROM_REPLICAS = _KERAS <= (3, 15)
"""Keras averages the replicas' first batches to see their shape, which fails for batches of several
sizes, and for values that are on several machines (keras issue 20585)."""

KERAS_CANNOT_REDUCE_SCALARS = _KERAS <= (3, 15)
"""Keras averages what a step returns over several machines along axis 0, which scalars lack."""


def replica_context():
    """TensorFlow's replica context where several replicas share a batch, else None."""
    if keras.config.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def replica_count():
    """How many replicas add up their gradients."""
    context = replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def sum_over_replicas(value):
    """The sum of a tensor over all replicas; without a gradient."""
    context = replica_context()
    if context is None:
        return value
    return ops.stop_gradient(context.all_reduce("SUM", value))


def process_count():
    """How many processes of JAX work together."""
    if keras.config.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


@contextlib.contextmanager
def alone():
    """Inside, a process of JAX does something without the others: what Keras makes on the way, such
    as the optimizer that it compares with when it saves, would otherwise lie on all their devices.
    """
    distribution = keras.distribution.distribution() if process_count() > 1 else None
    if distribution is None:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def value_here(variable):
    """The value of a variable of JAX, which all processes have, as an array of this one."""
    return variable.value.addressable_data(0)


def rows_before(count):
    """How many rows of the global batch lie on the replicas before this one.

    Args:
        count: int or scalar tensor, the rows that are here.

    Returns:
        int32 scalar tensor; the integer 0 where there are no other replicas.
    """
    context = replica_context()
    if context is None:
        return 0
    import tensorflow as tf

    counts = context.all_gather(tf.reshape(tf.cast(count, "int32"), (1,)), axis=0)
    place = tf.range(tf.shape(counts)[0])
    here = tf.cast(context.replica_id_in_sync_group, "int32")
    return tf.reduce_sum(tf.where(place < here, counts, 0))


def reduce_gradients_first(optimizer):
    """Makes `optimizer` sum gradients over the replicas before it does anything with them.

    Keras sums them after clipping and after loss scaling has looked for an overflow, so that each
    replica would clip its own part and could decide otherwise than the others.
    """
    if "apply" in vars(optimizer):
        return  # done already
    inner, apply = getattr(optimizer, "inner_optimizer", optimizer), optimizer.apply

    def reduced_apply(grads, trainable_variables=None):
        context = replica_context()
        if context is not None:
            present = [gradient for gradient in grads if gradient is not None]
            reduced = iter(context.all_reduce("SUM", present))
            grads = [None if gradient is None else next(reduced) for gradient in grads]
        return apply(grads, trainable_variables)

    # On the object: its class, which a saved model names, stays Keras's own.
    object.__setattr__(optimizer, "apply", reduced_apply)
    object.__setattr__(inner, "_all_reduce_sum_gradients", list)


_lock = threading.Lock()
_inside: Counter = Counter()


@contextlib.contextmanager
def synchronised_batch_norm(network):
    """Inside, batch normalisation in training takes its statistics from the whole global batch.

    The layers' own setting is as it was afterwards, since no backend but TensorFlow knows it.
    """
    if replica_context() is None:
        yield
        return
    layers = [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    # The replicas of one machine are threads that share the layers: the first one in and the last
    # one out turn the switch.
    with _lock:
        _inside.update(layer for layer in layers if _inside[layer] or not layer.synchronized)
        mine = [layer for layer in layers if _inside[layer]]
        for layer in mine:
            layer.synchronized = True
    try:
        yield
    finally:
        with _lock:
            _inside.subtract(mine)
            for layer in mine:
                layer.synchronized = _inside[layer] > 0
                if not _inside[layer]:
                    del _inside[layer]


@functools.cache
def _convolves_nothing():
    """Whether TensorFlow's convolutions on this CPU take a batch of no images.

    Those of oneDNN, which TensorFlow prefers on CPUs with some instructions, answer with the shape
    of their input (seen in TensorFlow 2.21 on an AMD Zen 5).
    """
    import tensorflow as tf

    @tf.function
    def convolve(images):
        return tf.nn.conv2d(images, tf.ones((1, 1, 3, 2)), 1, "SAME")

    with tf.device("CPU:0"):
        return convolve(tf.zeros((0, 4, 4, 3))).shape[-1] == 2


def check_last_batch(strategy, images, batch_size):
    """Refuses a last batch that leaves a replica without images where TensorFlow would fail on it.

    Args:
        strategy: of tf.distribute, or None.
        images: how many there are.
        batch_size: of the global batch, or None for Keras's.
    """
    replicas = 1 if strategy is None else strategy.num_replicas_in_sync
    batch_size = batch_size or 32
    last = images % batch_size
    # Full shares go to the first replicas, and what is left to the next one.
    with_images = -(-last // -(-batch_size // replicas))
    if not last or with_images >= replicas:
        return
    on_cpu = any("CPU" in device for device in strategy.extended.worker_devices)
    if on_cpu and not _convolves_nothing():
        raise KerasShrError(
            f"batches of {batch_size} of {images} images leave {last} for the last one and a "
            "device without any, which TensorFlow's oneDNN convolutions on this CPU cannot take; "
            "choose another batch_size, or start Python with TF_ENABLE_ONEDNN_OPTS=0"
        )


def first_replica_batch(strategy, iterator):
    """A batch of the first replica on this machine.

    Args:
        strategy: of tf.distribute, or None.
        iterator: Keras's epoch iterator.
    """
    if strategy is None:
        return None
    for _, _, batches in iterator:
        return keras.tree.map_structure(
            lambda values: strategy.experimental_local_results(values)[0], next(batches)
        )


def vectors_over_workers(results):
    """What a step returns, as vectors of length 1 where Keras needs them."""
    context = replica_context()
    if context is None or not KERAS_CANNOT_REDUCE_SCALARS:
        return results
    if not getattr(context.strategy.extended, "_in_multi_worker_mode", bool)():
        return results
    return keras.tree.map_structure(lambda result: ops.reshape(result, (1,)), results)
