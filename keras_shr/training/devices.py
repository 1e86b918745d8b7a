"""Which devices and machines a run uses, and which part of it this process does."""

import contextlib
import json
import os
import re

import keras

from keras_shr.errors import KerasShrError, first_line

STRATEGIES = ("auto", "none", "mirrored", "multiworker")


def find_devices(choice="auto") -> "OneDevice":
    """The devices of a run.

    Call it before anything has been computed: TensorFlow connects its machines only at the start.

    Args:
        choice: `"none"`: one device. `"mirrored"`: all devices of this machine, GPUs if there are
            any (TensorFlow's MirroredStrategy; under JAX `keras.distribution.DataParallel`).
            `"multiworker"`: all devices of the machines that `TF_CONFIG` names
            (MultiWorkerMirroredStrategy). `"auto"`: multiworker where `TF_CONFIG` names several
            machines, mirrored where there are several accelerators, else none.

    Returns:
        `OneDevice`, `Replicas` or `DataParallel`.

    Raises:
        KerasShrError: for another word, or where the devices for it are missing.
    """
    if choice not in STRATEGIES:
        raise KerasShrError(f"strategy is {choice!r}; expected one of {', '.join(STRATEGIES)}")
    backend = keras.config.backend()
    if choice == "multiworker" or (choice == "auto" and len(_workers()) > 1):
        return _multiworker(backend)
    if choice == "none" or backend not in ("tensorflow", "jax"):
        if choice == "mirrored":
            raise KerasShrError(
                f"strategy mirrored runs on TensorFlow and JAX; KERAS_BACKEND is {backend}"
            )
        return OneDevice()
    devices = _devices(backend, ("GPU",) if choice == "auto" else ("GPU", "CPU"))
    if len(devices) < 2:
        return OneDevice()
    if backend == "jax":
        return DataParallel(devices)
    import tensorflow as tf

    return Replicas(tf.distribute.MirroredStrategy(devices))


class OneDevice:
    """Training as Keras does it by itself.

    Attributes:
        count: devices that share a batch, on all machines.
        chief: whether this process writes the run's files.
    """

    count, chief = 1, True

    def building(self):
        """A context in which the model is made."""
        return contextlib.nullcontext()

    def training(self):
        """A context for `fit`."""
        return contextlib.nullcontext()

    def feed(self, batches):
        """`Batches` as `fit` takes them here, and its `steps_per_epoch`."""
        return batches, None

    def stream(self, make):
        """A data set of TensorFlow as `fit` takes it here.

        Args:
            make: `make(batch_share, shard_index, shard_count)`, with the share of the global batch
                that an element has, gives the data set of one machine.
        """
        return make(1, 0, 1)

    def check_batch_size(self, size):
        """Refuses a batch that the devices cannot share evenly."""
        if size % self.count:
            raise KerasShrError(
                f"batch_size is {size}; expected a multiple of the {self.count} devices"
            )


class DataParallel(OneDevice):
    """JAX: one program with the whole batch, whose rows lie on several devices."""

    def __init__(self, devices):
        self.count = len(devices)
        self._distribution = keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )

    def building(self):
        return self._distribution.scope()

    def training(self):
        return self._distribution.scope()


class Replicas(OneDevice):
    """TensorFlow: a copy of the program on each device, with its part of the batch."""

    def __init__(self, strategy, chief=True):
        self.count, self.chief = strategy.num_replicas_in_sync, chief
        self._strategy = strategy

    def building(self):
        return self._strategy.scope()

    @contextlib.contextmanager
    def training(self):
        import tensorflow as tf

        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as e:
            if not _lost_worker(str(e)):
                raise
            raise KerasShrError(
                "another worker is gone; start this command again on every worker, and the run "
                f"goes on after the last finished epoch ({_cause(str(e))})"
            ) from e

    def feed(self, batches):
        import tensorflow as tf

        def rows_of(context):
            replicas = context.num_replicas_in_sync // context.num_input_pipelines
            size = batches.batch_size // context.num_replicas_in_sync
            first = context.input_pipeline_id * replicas
            step = batches.first_step

            def generate():
                number = step
                while True:
                    for replica in range(first, first + replicas):
                        yield batches.rows(number, replica * size, (replica + 1) * size)
                    number += 1

            example = batches.rows(step, 0, 1)
            signature = tuple(tf.TensorSpec((size, *x.shape[1:]), x.dtype) for x in example)
            return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)

        return self._strategy.distribute_datasets_from_function(rows_of), batches.num_batches

    def stream(self, make):
        return self._strategy.distribute_datasets_from_function(
            lambda context: make(
                context.num_replicas_in_sync,
                context.input_pipeline_id,
                context.num_input_pipelines,
            )
        )


def _multiworker(backend):
    if backend != "tensorflow":
        raise KerasShrError(
            f"strategy multiworker is TensorFlow's; KERAS_BACKEND is {backend} and TF_CONFIG names "
            f"{len(_workers())} workers"
        )
    if not _workers():
        raise KerasShrError(
            "strategy multiworker needs TF_CONFIG in the environment, such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}'
        )
    task = _configuration().get("task", {})
    if task.get("type", "worker") not in ("worker", "chief"):
        raise KerasShrError(f"TF_CONFIG: task type is {task['type']!r}; expected 'worker'")
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    resolver = strategy.cluster_resolver
    chief = resolver.task_type in (None, "chief") or (
        resolver.task_id == 0 and "chief" not in _configuration()["cluster"]
    )
    return Replicas(strategy, chief)


def _configuration():
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        configuration = json.loads(text)
        configuration.get("cluster", {}).get("worker", [])
    except (ValueError, AttributeError) as error:
        raise KerasShrError(f"TF_CONFIG is no JSON object: {first_line(error)}") from None
    return configuration


def _workers():
    cluster = _configuration().get("cluster", {})
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def _devices(backend, kinds):
    """Names of this machine's devices of the first kind that it has."""
    if backend == "jax":
        names = keras.distribution.list_devices()
        return names if "CPU" in kinds or not names[0].startswith("cpu") else []
    import tensorflow as tf

    found = ([device.name for device in tf.config.list_logical_devices(kind)] for kind in kinds)
    return next((names for names in found if names), [])


def _lost_worker(message):
    words = ("heartbeat", "unhealthy", "Connection reset", "failed to connect", "Socket closed")
    return any(word in message for word in words)


def _cause(message):
    """What stopped the collective operation, without the place in the graph."""
    found = re.search(r"aborted by: (?:Error reported from \S+ )?(.+)", message)
    return found.group(1) if found else first_line(message)
